"""The catalogue of stage instructions: one YAML a stage, `id: text`. A workflow names them by id, or has its own text.

The texts are the paper's roles in our words (its own prompts were never published).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Protocol, cast

import yaml

from pdr_dspy.errors import WorkflowError


@cache
def catalogue(stage: str) -> dict[str, str]:
    """All instructions of a stage by id, in the order of its YAML (`default` first)."""
    text = files(__package__).joinpath(f"{stage}.yaml").read_text(encoding="utf-8")
    return cast(dict[str, str], yaml.safe_load(text))


class Own(Protocol):
    """An instruction that is no part of the catalogue."""

    @property
    def text(self) -> str:
        """What the model reads."""
        ...


def instruction(stage: str, prompt: str | Own) -> str:
    """The text of a stage's instruction.

    Args:
        stage: The stage.
        prompt: An id of its catalogue, or an instruction of a workflow's own.

    Raises:
        WorkflowError: no such id in the catalogue.
    """
    if not isinstance(prompt, str):
        return prompt.text.strip()
    known = catalogue(stage)
    if prompt not in known:
        raise WorkflowError(f"prompts.{stage}", f"no prompt has the id {prompt!r}", f"Use one of {sorted(known)}")
    return known[prompt].strip()
