"""How a model wants to be asked, as its card says: the prompts' format and instructions, and whether it can be told not
to think.

A server may state it at `/v1/models`, in a block `pdr` of the model's card (the embedded reasoner's does); where vLLM
serves a checkpoint from this machine's disk, `pdr.json` beside its weights is read. Everything else recommends nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pdr_dspy.workflow import FORMATS, Format

CARD = "pdr.json"
"""The file beside a checkpoint's weights."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """What a model's card recommends; None where it says nothing.

    Attributes:
        format: The format of its prompts.
        prompts: Which instructions of the catalogue it was trained on: the one of this id, and those whose ids begin
            with it and a hyphen.
        switchable: Whether `enable_thinking: false` keeps it from thinking.
    """

    format: Format | None = None
    prompts: str | None = None
    switchable: bool | None = None


def recommendation(card: Mapping[str, Any], root: str) -> Recommended:
    """What a card of `/v1/models` recommends, or the checkpoint's directory where it is on this machine.

    Args:
        card: The card.
        root: Where the server says that it loaded the model from, or "".
    """
    block = card.get("pdr")
    if block is None and root and Path(root).is_absolute():
        try:
            block = json.loads((Path(root) / CARD).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            block = None
    if not isinstance(block, Mapping):
        return Recommended()
    format_, prompts, switchable = block.get("format"), block.get("prompts"), block.get("switchable")
    return Recommended(
        cast(Format, format_) if format_ in FORMATS else None,
        prompts if isinstance(prompts, str) else None,
        switchable if isinstance(switchable, bool) else None,
    )
