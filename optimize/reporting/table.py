"""The table a search ends with: front members and baselines on problems the search never saw. Pure text and data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point, Title, front, unsure
from optimize.objectives.loads import AtLoad, LoadLevel
from optimize.objectives.objective import Measurement
from optimize.reporting import load_table
from optimize.reporting.load_table import SIGNS
from optimize.reporting.running_front import share
from pdr_dspy.endpoint import EndpointStats
from pdr_dspy.markdown import fenced, plain
from pdr_dspy.secrets.redaction import redacted, redacted_json


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
        return [name for name in _BESIDE if any(row.measured.metrics.get(name, 0.0) for row in self.rows)]

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
            + "".join(f"\n{_BESIDE[name][2]}." for name in self.told())
        )


_HEAD = (
    "",
    "workflow",
    "accuracy [95 %]",
    "search",
    "p50 s",
    "p95 s",
    "path",
    "total",
    "B_seq",
    "B_total",
    "calls",
    "fresh/old",
    "failed",
)


def amount(tokens: float) -> str:
    """A number of tokens in at most five characters: `873`, `12.4k`, `1.32m`."""
    if tokens < 9_999.5:
        return f"{tokens:.0f}"
    if tokens < 999_950:
        return f"{tokens / 1e3:.1f}k"
    return f"{tokens / 1e6:.2f}m"


_HARMLESS = re.compile(r"[\w .,+*^~/%-]*(?: \[[\d.-]+\])?")

_BESIDE: dict[str, tuple[str, Callable[[float], str], str]] = {
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


def cells(report: Report) -> list[tuple[str, ...]]:
    """The table's cells, a heading first."""
    on_front, unsure = report.fronted(), report.unsure()
    fronts = ["" if i not in on_front else "F~" if i in unsure else "F" for i in range(len(report.rows))]
    head, *rows = [_HEAD, *(_cells(row, mark) for row, mark in zip(report.rows, fronts, strict=True))]
    told = report.told()
    return [
        (*head[:-1], *(_BESIDE[name][0] for name in told), head[-1]),
        *(
            (*cells[:-1], *(_BESIDE[name][1](row.measured.metrics.get(name, 0.0)) for name in told), cells[-1])
            for row, cells in zip(report.rows, rows, strict=True)
        ),
    ]


def _cells(row: Row, on_front: str) -> tuple[str, ...]:
    m, metrics = row.measured, row.measured.metrics
    mark = "".join(SIGNS[title] for title in row.titles) + on_front + ("b" if row.baseline else "")
    fresh, total = metrics["sum_fresh_generated"], metrics["sum_total_generated"]
    return (
        mark,
        row.name,
        f"{100 * m.accuracy:.1f} [{100 * m.low:.1f}-{100 * m.high:.1f}]",
        f"{100 * row.searched.accuracy:.1f}" if row.searched else "-",
        f"{m.p50:.2f}",
        f"{m.p95:.2f}",
        amount(metrics["mean_seq_generated"]),
        amount(metrics["mean_total_generated"]),
        amount(metrics["mean_b_seq"]),
        amount(metrics["mean_b_total"]),
        f"{metrics['mean_calls']:.1f}",
        f"{amount(fresh)}/{amount(total - fresh)}",
        " ".join(f"{kind} {n}" for kind, n in sorted(m.failures.items())) or "0",
    )


def as_text(report: Report) -> str:
    """The table for a terminal, a pager or a log: no colours, fixed columns, a legend below."""
    rows = cells(report)
    lines = _columns(rows, left=(0, 1, len(rows[0]) - 1))
    names = max(len(row.name) for row in report.rows)
    legend = [f"{row.name.ljust(names)}  {row.title}" for row in report.rows]
    notes = [*filter(None, [_marks(report)]), *_optimism(report), report.caption()]
    if report.levels:
        notes += ["", *_columns(load_table.cells(report), left=(0,)), "", load_table.caption(report)]
    return "\n".join(line.rstrip() for line in [*lines, "", *legend, "", *notes])


def _columns(rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """Cells as lines of fixed columns, the first row underlined."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


_FIELDS = (
    "study",
    "model",
    "budget",
    "data",
    "load",
    "in_flight",
    "search_problems",
    "report_problems",
    "samples",
    "format",
)


def as_markdown(report: Report) -> str:
    """The same as a Markdown document, with every workflow's YAML."""
    table = _pipes(cells(report))
    notes = (
        line
        for text in (*filter(None, [_marks(report)]), *_optimism(report), report.caption(plain))
        for line in ("", text)
    )
    parts = [f"# {plain(report.study)}", "", *table, *notes]
    if report.levels:
        parts += ["", "## At several loads", "", *_pipes(load_table.cells(report)), "", load_table.caption(report)]
    for row in report.rows:
        parts += ["", f"## {plain(row.name)}", "", plain(row.title), "", fenced(row.workflow.strip(), "yaml")]
    return redacted("\n".join(parts) + "\n")


def _pipes(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *others = rows
    lines = (head, ["---"] * len(head), *(map(_cell, row) for row in others))
    return ["| " + " | ".join(row) + " |" for row in lines]


def _cell(text: str) -> str:
    # Marks (`*+F~`) and intervals (`[40-60]`) are no markup here, and a name with some is rare.
    return text if _HARMLESS.fullmatch(text) else plain(text)


def as_json(report: Report) -> str:
    """The same as JSON."""
    return json.dumps(redacted_json(as_data(report)), indent=1, ensure_ascii=False) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """The same as plain data."""
    plain: dict[str, Any] = {name: getattr(report, name) for name in _FIELDS}
    plain |= {"latency": report.objectives.latency, "objectives": list(report.objectives.names)}
    plain["loads"] = load_table.as_data(report)
    on_front, unsure = report.fronted(), report.unsure()
    plain["optimism"] = report.optimism()
    plain["rows"] = [
        {
            "name": row.name,
            "title": row.title,
            "baseline": row.baseline,
            "winner": row.winner,
            "titles": list(row.titles),
            "search_front": row.member,
            "report_front": i in on_front,
            "unsure": i in unsure,
            "workflow": row.workflow,
            "report": row.measured.as_dict(),
            "search": {**row.searched.as_dict(), "troubles": []} if row.searched else None,  # the study has them
        }
        for i, row in enumerate(report.rows)
    ]
    return plain


def _marks(report: Report) -> str:
    marks = ["F: on this table's Pareto front"] if report.fronted() else []
    if report.unsure():
        marks.append("F~: its interval overlaps that of a cheaper front member")
    won = {title for row in report.rows for title in row.titles}
    words = {
        "best": "the winner",
        "near": f"the {report.objectives.least} within a point of it",
        "knee": "the front's knee",
    }
    told = [f"{SIGNS[title]}: {words[title]}" for title in SIGNS if title in won]
    if told:
        marks = [*told[:-1], f"{told[-1]} (chosen on the search's problems)", *marks]
    if any(row.baseline for row in report.rows):
        marks.append("b: baseline at the same budget")
    return "; ".join(marks)


def _optimism(report: Report) -> list[str]:
    found = report.optimism()
    if found is None:
        return []
    best, mean, count = found
    return [
        f"The search had overrated the winner by {best:+.1f} points; over its {count} front members by {mean:+.1f} as "
        "a mean."
    ]


def ordered(rows: Sequence[Row], objectives: Objectives) -> tuple[Row, ...]:
    """Rows fastest first, as a front is read."""
    return tuple(sorted(rows, key=lambda row: (row.measured.point(objectives).costs, row.name)))


def mean_in_flight(before: EndpointStats, after: EndpointStats) -> float | None:
    """Requests in flight between two snapshots, as a mean over the time there was any; None if there was none."""
    busy = after.busy_seconds - before.busy_seconds
    return (after.in_flight_seconds - before.in_flight_seconds) / busy if busy > 0 else None
