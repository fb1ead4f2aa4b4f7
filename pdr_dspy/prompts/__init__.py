"""The catalogue of stage instructions: one YAML a stage, `id: text`. A workflow names them by id.

The texts are the paper's roles in our words (its own prompts were never published).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import cast

import yaml

from pdr_dspy.errors import WorkflowError


@cache
def catalogue(stage: str) -> dict[str, str]:
    """All instructions of a stage by id, in the order of its YAML (`default` first)."""
    text = files(__package__).joinpath(f"{stage}.yaml").read_text(encoding="utf-8")
    return cast(dict[str, str], yaml.safe_load(text))


def instruction(stage: str, prompt_id: str) -> str:
    """The instruction `prompt_id` of a stage.

    Raises:
        WorkflowError: no such id in the catalogue.
    """
    known = catalogue(stage)
    if prompt_id not in known:
        raise WorkflowError(f"prompts.{stage}", f"no prompt has the id {prompt_id!r}", f"Use one of {sorted(known)}")
    return known[prompt_id].strip()
