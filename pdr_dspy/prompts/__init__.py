"""The catalogue of stage instructions: one YAML a stage, `id: text`. A workflow names them by id, or has its own text.

The texts are the paper's roles in our words (its own prompts were never published). Those whose ids begin with
`reasoner` are what the embedded reasoner was trained on; other models are not asked with them unless a workflow names
them. `default` is what a model's card recommends, where it recommends anything.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Protocol, cast

import yaml

from pdr_dspy.errors import WorkflowError

REASONER = "reasoner"
"""The id, and the beginning of the ids, of the embedded reasoner's instructions."""


@cache
def catalogue(stage: str) -> dict[str, str]:
    """All instructions of a stage by id, in the order of its YAML (`default` first)."""
    text = files(__package__).joinpath(f"{stage}.yaml").read_text(encoding="utf-8")
    return cast(dict[str, str], yaml.safe_load(text))


def family(stage: str, recommended: str | None) -> tuple[str, ...]:
    """The ids of the instructions that suit a model, its usual one first.

    Args:
        stage: The stage.
        recommended: The id that the model's card recommends, with those that begin with it and a hyphen; None: those
            that are no model's own.
    """
    if recommended is None:
        return tuple(key for key in catalogue(stage) if key.partition("-")[0] != REASONER)
    return tuple(key for key in catalogue(stage) if key == recommended or key.startswith(f"{recommended}-"))


def resolved(stage: str, prompt: str | Own, recommended: str | None) -> str | Own:
    """What an id stands for with a model: the one of the model's own family, where its card recommends a family that
    has it (`default` is `reasoner` then, `checked` is `reasoner-checked`), else itself."""
    if recommended is None or not isinstance(prompt, str):
        return prompt
    own = recommended if prompt == "default" else f"{recommended}-{prompt}"
    return own if own in catalogue(stage) else prompt


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
