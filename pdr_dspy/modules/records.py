"""What a run of a workflow leaves behind: its drafts, workspaces, failures and ledger. Values only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pdr_dspy.budget import Budget
from pdr_dspy.ledger import CallRecord, Meters, meters
from pdr_dspy.workflow import Plan

_MARKED = ("marks", "spelling", "boxed")


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft that came.

    Attributes:
        index: Its number in the round.
        solution: Its written solution.
        outputs: The user's output fields.
        read: How its outputs were found in what the model wrote: `marks` (as the format asks for), or, read
            leniently, one of the steps of `pdr_dspy.formats.reading`.
        cut: Whether it reached its cap behind its answer, so that it may have gone on to another one.
    """

    index: int
    solution: str
    outputs: Mapping[str, Any]
    read: str = "marks"
    cut: bool = False

    @property
    def lenient(self) -> bool:
        """Whether the outputs were not written as the format asks for."""
        return self.read != "marks"

    @property
    def ended(self) -> bool:
        """Whether its answer is marked, or the text ended with it: no mere phrase in one that was cut off later on."""
        return not self.cut or self.read in _MARKED


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call that gave nothing usable.

    Attributes:
        stage: Its stage.
        index: Its number in the step.
        kind: What it counts under.
        detail: Why, in words.
        text: What it wrote after its thinking, as far as it came.
        fallback: What was used in its place so that the run could go on (`unmarked`, `answers`, `random`,
            `previous`, `vote`, `best`), or "" where nothing was.
    """

    stage: str
    index: int
    kind: str
    detail: str
    text: str = ""
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """One round: the workspace each draft read ("" in the first), the drafts that came, and those that did not."""

    workspaces: tuple[str, ...]
    drafts: tuple[Draft, ...]
    failed: tuple[FailedCall, ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a workflow on one problem.

    Attributes:
        plan: The workflow, its budget and every call's caps.
        rounds: The rounds that were begun, in order.
        failed: Every call that gave nothing usable, helper calls (distill, pick, analyse) included.
        records: The run's call records.
    """

    plan: Plan
    rounds: tuple[RoundRecord, ...]
    failed: tuple[FailedCall, ...]
    records: tuple[CallRecord, ...]

    @property
    def budget(self) -> Budget:
        """The budget the run was planned for."""
        return self.plan.budget

    @property
    def meters(self) -> Meters:
        """Both meters, the nominal ones, and seconds along the critical path."""
        return meters(self.records)

    @property
    def dropped(self) -> Counter[str]:
        """Failed calls by kind."""
        return Counter(f.kind for f in self.failed)

    @property
    def fallbacks(self) -> tuple[FailedCall, ...]:
        """The failed calls in whose place something else was used."""
        return tuple(f for f in self.failed if f.fallback)

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """The drafts of all rounds, in order."""
        return tuple(draft for each in self.rounds for draft in each.drafts)


QUOTED = 200
"""Most characters of a text that an error quotes."""


def told(failed: Sequence[FailedCall]) -> str:
    """Failed calls in a few words: how many of which kind, and the beginning of what the last of them wrote."""
    if not failed:
        return ""
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(f.kind for f in failed).most_common())
    wrote = next((text for f in reversed(failed) if (text := " ".join(f.text.split()))), "")
    if not wrote:
        return f"failed calls: {kinds}"
    shown = wrote if len(wrote) <= QUOTED else f"{wrote[:QUOTED]}..."
    return f"failed calls: {kinds}; one wrote {shown!r}"
