"""What there is to see of a run, as data: all that is shown is drawn from it, and it reads back from JSON.

    data = prediction.run.to_dict()                  # JSON-able; also json.loads(...) of a file
    RunData.model_validate(data).show()

Tokens are the model's own, seconds are wall clock. Values only.
"""

from __future__ import annotations

from typing import Any, Literal, TextIO

from pydantic import BaseModel, ConfigDict, Field

from pdr_dspy.ledger import Meters

SCHEMA_VERSION = 1
"""Of this form. It grows by one when a field is removed or means something else; new fields alone leave it."""


class Value(BaseModel):
    """Frozen; fields that a later release of the same version has besides are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CallData(Value):
    """One call, all its attempts together."""

    name: str = Field(description="as in traces: `draft 3 of 8`, `distill round 1`")
    stage: str = Field(description="draft, refine, distill, pick, analyse, or probe")
    round: int = Field(description="round of the workflow, from 0")
    index: int = Field(description="number among its step's calls, from 0")
    started: float = Field(description="seconds since the run's first call was sent")
    seconds: float = Field(description="from sending to the last byte, retries included")
    attempts: int = Field(description="requests that were made for it")
    outcome: str = Field(description="ok, or what the last attempt came to (truncated, empty, server, cutoff, ...)")
    prompt_tokens: int = Field(description="of all attempts")
    completion_tokens: int = Field(description="of all attempts, thinking included")
    thinking_tokens: int | None = Field(description="where the server says")
    cap: int = Field(description="most tokens it was allowed to generate")
    replayed: bool = Field(description="answered from the store: tokens and seconds are the original call's")
    detail: str = Field(description="what went wrong, in words")


class DraftData(Value):
    """A draft that came."""

    index: int = Field(description="number in the round, from 0")
    outputs: dict[str, Any] = Field(description="the output fields, as JSON")
    solution: str = Field(description="the written solution")
    read: str = Field(description="how the outputs were found: `marks`, or a step of lenient reading")
    cut: bool = Field(description="whether it reached its cap behind its answer")
    group: int | None = Field(description="drafts of a round with the same number agree; None: it has no answer")
    accepted: bool = Field(description="whether it is the run's answer")


class WorkspaceData(Value):
    """A workspace, and who read it."""

    text: str
    tokens: int | None = Field(description="None where they were not counted")
    kappa: int | None = Field(description="most tokens it may have")
    readers: tuple[int, ...] = Field(description="numbers of the drafts that read it, from 0")


class FailedData(Value):
    """A call that gave nothing usable."""

    stage: str
    index: int = Field(description="number in the step, from 0")
    kind: str = Field(description="what it counts under")
    detail: str = Field(description="why, in words")
    text: str = Field(description="what it wrote after its thinking, as far as it came")
    fallback: str = Field(description='what was used in its place, or ""')


class RoundData(Value):
    """One round."""

    width: int = Field(description="drafts it was to have")
    distill: str | None = Field(description="kind of the distiller behind it")
    workspaces: tuple[WorkspaceData, ...] = Field(description="each once; none in the first round")
    drafts: tuple[DraftData, ...]
    failed: tuple[FailedData, ...]


class StageData(Value):
    """Sums over the calls of a stage."""

    stage: str
    calls: int
    attempts: int
    failures: int = Field(description="attempts that failed")
    prompt_tokens: int
    completion_tokens: int
    thinking_tokens: int = Field(description="0 where the server does not say")
    seconds: float = Field(description="of all calls together, parallel ones added up")
    longest: float = Field(description="seconds of the longest call")


class RunData(Value):
    """A run."""

    schema_version: Literal[1] = 1
    workflow: dict[str, Any] = Field(description="the declaration, as `build_workflow` reads it")
    topology: str = Field(description="the declaration in a few characters: `8-1 summary@1024`")
    budget: str = Field(description="as `parse_budget` reads it")
    vote_on: tuple[str, ...] = Field(description="output fields by which drafts agree")
    equality: str = Field(description="whose equality that is: `default`, `given`, or `spelling`")
    rounds: tuple[RoundData, ...]
    failed: tuple[FailedData, ...] = Field(description="of all stages, in the order they were noted")
    calls: tuple[CallData, ...] = Field(description="in the order they were sent")
    stages: tuple[StageData, ...]
    meters: Meters = Field(description="as `RunRecord.meters`: `b_seq`, `b_total`, `seq_generated`, `seconds`, ...")

    @property
    def name(self) -> str:
        """The workflow's name."""
        return str(self.workflow.get("name", ""))

    @property
    def seconds(self) -> float:
        """From the first call's sending to the last one's end."""
        return max((call.started + call.seconds for call in self.calls), default=0.0)

    @property
    def headline(self) -> str:
        """The run in a line."""
        meters = self.meters
        return (
            f"{self.name}: {self.topology}, budget {self.budget}; {meters.calls} calls, {len(self.failed)} failed, "
            f"B_seq {meters.b_seq:,}, B_total {meters.b_total:,}, generated {meters.seq_generated:,} on the path"
        )

    def show(self, file: TextIO | None = None, *, width: int | None = None, texts: int | None = 600) -> None:
        """Print it; see `RunRecord.show`."""
        from pdr_dspy.run_view.text import show

        show(self, file, width=width, texts=texts)

    def _repr_html_(self) -> str:
        """It, for a notebook."""
        from pdr_dspy.run_view.html import html

        return html(self)

    def __repr__(self) -> str:
        return f"RunData({self.headline})"

    __str__ = __repr__
