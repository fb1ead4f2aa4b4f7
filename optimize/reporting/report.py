"""What a report holds: the measured workflows, and what is said of all of them. Values, no text but a caption's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point, Title, front, unsure
from optimize.objectives.loads import AtLoad, LoadLevel
from optimize.objectives.measurement import Measurement
from optimize.reporting.numbers import amount, share
from pdr_dspy.endpoint import EndpointStats

BESIDE: dict[str, tuple[str, Callable[[float], str], str]] = {
    "read_leniently": (
        "lenient",
        share,
        "lenient: share of drafts that were not written as their format asks for, and read all the same",
    ),
    "fallbacks": (
        "fallback",
        share,
        "fallback: share of problems where something else was used in the place of what failed",
    ),
    "sum_uncounted_at_most": (
        "lost at most",
        amount,
        "lost at most: tokens of all problems that the server may have generated on top of those, for calls that were\n"
        "cut off or whose answer was lost",
    ),
}
"""Columns that stand in the table only where there is something to tell, by their metric: their title, how a number is
shown, and what it means."""


@dataclass(frozen=True)
class Row:
    """One workflow of the table.

    Attributes:
        name: `t12`, or a baseline's name.
        title: The workflow in a line.
        workflow: Its YAML.
        measured: What it did on the report's problems.
        searched: What it had done on the search's problems, or None outside a search.
        baseline: Whether it is a baseline.
        member: Whether it was on the search's front.
        titles: What it won on the search's problems: `best`, `near`, `knee`.
        loads: What it took at each load that was measured (its accuracy is over all of them).
    """

    name: str
    title: str
    workflow: str
    measured: Measurement
    searched: Measurement | None = None
    baseline: bool = False
    member: bool = False
    titles: tuple[Title, ...] = ()
    loads: tuple[AtLoad, ...] = ()

    @property
    def winner(self) -> bool:
        """Whether it is the most accurate one (on the search's problems)."""
        return "best" in self.titles


@dataclass(frozen=True)
class Report:
    """The table with what it must say beside it.

    `load` is how many requests were wanted in flight, `in_flight` how many there were, as a mean over the time of
    measuring (None: all answers came from the store). `levels` are the loads, rising, where there are several. `format`
    is that of the prompts where a title names none ("": a matter of each workflow, or of the model's card).
    """

    study: str
    model: str
    budget: str
    data: str
    load: int
    in_flight: float | None
    objectives: Objectives
    search_problems: int
    report_problems: int
    samples: int
    rows: tuple[Row, ...]
    levels: tuple[LoadLevel, ...] = ()
    format: str = ""

    def points(self) -> list[Point]:
        """The rows as points, in their order."""
        return [row.measured.point(self.objectives) for row in self.rows]

    def fronted(self) -> set[int]:
        """Indices of the rows that are on the front of the table itself."""
        return set(front(self.points()))

    def unsure(self) -> set[int]:
        """Indices of front rows whose accuracy may be no better than that of a cheaper front row: intervals overlap."""
        return unsure(self.points(), [(row.measured.low, row.measured.high) for row in self.rows])

    def told(self) -> list[str]:
        """Metrics beside the usual ones that are not 0 everywhere: how much was read leniently, fell back, was lost."""
        return [name for name in BESIDE if any(row.measured.metrics.get(name, 0.0) for row in self.rows)]

    def optimism(self) -> tuple[float, float, int] | None:
        """The search's accuracy minus the report's: of the winner, and as a mean over its front's members.

        In points, with the number of members; None where nothing was chosen.
        """
        gaps = {r.name: r.searched.accuracy - r.measured.accuracy for r in self.rows if r.member and r.searched}
        best = next((r.name for r in self.rows if r.winner), None)
        if best not in gaps:
            return None
        return 100 * gaps[best], 100 * fmean(gaps.values()), len(gaps)

    def caption(self, shown: Callable[[str], str] = str) -> str:
        """What the numbers mean, in a few lines.

        Args:
            shown: How names are written, where they are not written as they are.
        """
        pairs = f"{self.report_problems} problems" + (f" x {self.samples} samples" if self.samples > 1 else "")
        selected = f" The front was chosen on {self.search_problems} others." if self.search_problems else ""
        asked = f", asked in the format {self.format}" if self.format else ""
        held = "all replayed" if self.in_flight is None else f"mean {self.in_flight:.1f}"
        return (
            f"{shown(self.model)} on {shown(self.data)}, budget {self.budget} a problem, "
            f"{self.load} requests in flight ({held}){asked}.\n"
            f"Measured on {pairs}.{selected} Failures count as wrong.\n"
            "Of a problem: p50/p95 seconds along its critical path; path: tokens generated along it (what the budget\n"
            "caps); total: tokens generated by all its calls; B_seq: in + out along the path; B_total: in + out of\n"
            "every call. fresh/old: generated tokens of all problems, paid now / replayed from the store."
            + "".join(f"\n{BESIDE[name][2]}." for name in self.told())
        )


def ordered(rows: Sequence[Row], objectives: Objectives) -> tuple[Row, ...]:
    """Rows fastest first, as a front is read."""
    return tuple(sorted(rows, key=lambda row: (row.measured.point(objectives).costs, row.name)))


def mean_in_flight(before: EndpointStats, after: EndpointStats) -> float | None:
    """Requests in flight between two snapshots, as a mean over the time there was any; None if there was none."""
    busy = after.busy_seconds - before.busy_seconds
    return (after.in_flight_seconds - before.in_flight_seconds) / busy if busy > 0 else None
