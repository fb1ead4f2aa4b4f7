"""Which instruction each stage of a workflow has: an id of the catalogue, or a text of the workflow's own. Pure.

A text of its own travels with its workflow, so that what a proposer wrote on one machine runs on any other:

    prompts:
      draft: brief
      refine: {id: grounded-1, text: Take the workspace apart first.}

Knows neither the catalogue's texts nor signatures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Discriminator, Field, Tag, model_validator

from pdr_dspy.workflow.values import Frozen, rule

LONGEST = 20_000
"""Characters of an instruction at most: some pages. More is a file pasted by mistake, and read by every call."""


_UNREADABLE = re.compile("[\0\ud800-\udfff]")
"""NUL, which databases refuse, and halves of characters, which no UTF-8 text has."""


class Instruction(Frozen):
    """An instruction of the workflow's own.

    Attributes:
        id: What tables and titles call it; not one of the catalogue's.
        text: What the model reads below the signature's instruction.
    """

    id: str = Field(
        default="own",
        min_length=1,
        max_length=60,
        pattern=r"^[A-Za-z0-9_.\-]+$",
        description="what tables call it; not one of the catalogue's",
    )
    text: str = Field(
        description=f"what the model reads below the signature's instruction; {LONGEST:,} characters at most"
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if not self.text.strip():
            raise rule(("text",), "it is empty", "Write the instruction, or the id of one of the catalogue's")
        if bad := _UNREADABLE.search(self.text):
            raise rule(("text",), f"the character {bad[0]!r} can't be sent to a model", "Leave it out")
        if len(self.text) > LONGEST:
            problem = f"{len(self.text):,} characters are too many for an instruction"
            raise rule(("text",), problem, f"Write at most {LONGEST:,}")
        return self


CATALOGUE, OWN = "catalogue", "own"
"""Tags of the two forms, as they stand in pydantic's error paths."""


def _form(value: Any) -> str:
    return OWN if isinstance(value, Mapping | Instruction) else CATALOGUE


Prompt = Annotated[Annotated[str, Tag(CATALOGUE)] | Annotated[Instruction, Tag(OWN)], Discriminator(_form)]
"""An id of `pdr_dspy/prompts/*.yaml`, or a text of the workflow's own."""


Format = Literal["plain", "markers", "json", "xml"]
"""How a stage is asked and answered: as a person would write it, between DSPy's markers, as JSON, between XML tags."""

FORMATS: tuple[Format, ...] = get_args(Format)


class Prompts(Frozen):
    """Which instruction each stage has, and the format all of them are asked in.

    The instruction `default` and a format of None leave the choice to the served model's card, where it recommends
    something, else to the library (`plain`, or the adapter of `dspy.configure`).
    """

    draft: Prompt = Field(default="default", description="for the first round's drafts: an id, or {id, text}")
    refine: Prompt = Field(default="default", description="for the drafts of later rounds, which read a workspace")
    distill: Prompt = Field(default="default", description="for the summary")
    pick: Prompt = Field(default="default", description="for picks, between rounds and at the close")
    analyse: Prompt = Field(default="default", description="for the analysis of a draft's flaws")
    format: Format | None = Field(
        default=None,
        description="how stages are asked and answered: as a person would write it, between DSPy's markers, as JSON, "
        "between XML tags; absent: what suits the model",
    )

    @property
    def ids(self) -> dict[str, str]:
        """The instruction's id by stage."""
        chosen = ((stage, getattr(self, stage)) for stage in PROMPTED)
        return {stage: prompt.id if isinstance(prompt, Instruction) else prompt for stage, prompt in chosen}

    @property
    def own(self) -> dict[str, Instruction]:
        """The workflow's own instructions by stage."""
        chosen = ((stage, getattr(self, stage)) for stage in PROMPTED)
        return {stage: prompt for stage, prompt in chosen if isinstance(prompt, Instruction)}


PROMPTED = tuple(name for name in Prompts.model_fields if name != "format")
"""The stages that have an instruction."""
