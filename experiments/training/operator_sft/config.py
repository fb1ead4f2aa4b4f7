"""What a stage of operator SFT is told. Knows nothing of torch."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pdr_dspy.workflow.values import Frozen, rule

Role = Literal["distill", "refine", "finish", "resume", "resume_draft", "pick", "analyse"]
"""`finish`: the answer behind a refinement's own thinking; `resume`, `resume_draft`: how the thinking of a refinement
or a draft goes on where it goes round in a circle."""

MOST = 1e6
"""The largest share that can be written."""

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Sheets(Frozen):
    """Which worksheets are sampled in a turn, and how."""

    count: Count = Field(description="worksheets a turn")
    drafts: int = Field(ge=2, description="drafts of each")
    spaces: Count = Field(description="workspaces of each, by the model itself, of drafts chosen anew")
    lines: dict[int, float] = Field(description="share of worksheets by their number of lines, 1 to 8")
    thinking: Count = Field(description="thinking tokens of a draft for each line")
    least: Count = Field(description="thinking tokens of a draft on top of that")
    answer: Count = Field(description="tokens after the thinking, for each line")
    refined: Count = Field(description="thinking tokens of a refinement for each line")
    kappa: Count = Field(description="workspace tokens for each line")
    temperature: float = Field(gt=0, le=2, description="of the sampling")

    @model_validator(mode="after")
    def _lines(self) -> Sheets:
        if not all(1 <= count <= 8 for count in self.lines):
            raise rule(("lines",), "a worksheet has 1 to 8 lines", "Write shares for numbers of 1 to 8")
        _shares("lines", self.lines.values())
        return self


class TeacherSFT(Frozen):
    """Operator SFT with an exact checker as the teacher: worksheets alone.

    Each turn samples the current weights' own drafts, workspaces and refinements, and trains on what the teacher would
    have written there.
    """

    turns: Count = Field(description="how often states are sampled anew, from the weights of then")
    tokens: Count = Field(description="trained tokens a turn")
    operator: Share = Field(
        description="share of them on own states; the rest is the original mixture (0: the control)"
    )
    roles: dict[Role, float] = Field(description="share of the operator tokens by role")
    own: Share = Field(description="share of refinements of the model's own workspaces; the others' are the teacher's")
    faulty: Share = Field(description="share of those for which a workspace with something to mend is looked for")
    falsified: Share = Field(description="share of operator examples some of whose right claims are made false")
    checked: Share = Field(description="share of refinements that are cut soon after their checks")
    rate: float = Field(gt=0, le=1, description="factor on the first training's rates; it falls to 0 over all turns")
    average: float = Field(ge=0, lt=1, description="what an update leaves of the running mean of the weights")
    default: Share = Field(description="share of operator examples with the default instruction of their stage")
    sheets: Sheets

    @model_validator(mode="after")
    def _roles(self) -> TeacherSFT:
        _shares("roles", self.roles.values())
        return self


def _shares(name: str, shares: Collection[float]) -> None:
    if not shares or not all(0 < share <= MOST for share in shares):
        mend = f"Name at least one, each with a share above 0 (and at most {MOST:g})"
        raise rule((name,), "a share that is not above 0, or beyond all measure", mend)
