"""The table a search ends with: front members and baselines on problems the search never saw. Pure text and data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from optimize.front import Point, Title, front
from optimize.objective import Latency, Measurement
from pdr_dspy.endpoint import EndpointStats


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
    """

    name: str
    title: str
    workflow: str
    measured: Measurement
    searched: Measurement | None = None
    baseline: bool = False
    member: bool = False
    titles: tuple[Title, ...] = ()

    @property
    def winner(self) -> bool:
        """Whether it is the most accurate one (on the search's problems)."""
        return "best" in self.titles


@dataclass(frozen=True)
class Report:
    """The table with what it must say beside it.

    `load` is how many requests were wanted in flight, `in_flight` how many there were, as a mean over the time of
    measuring (None: all answers came from the store).
    """

    study: str
    model: str
    budget: str
    data: str
    load: int
    in_flight: float | None
    latency: Latency
    search_problems: int
    report_problems: int
    samples: int
    rows: tuple[Row, ...]

    def points(self) -> list[Point]:
        """The rows as points, in their order."""
        return [row.measured.point(self.latency) for row in self.rows]

    def fronted(self) -> set[int]:
        """Indices of the rows that are on the front of the table itself."""
        return set(front(self.points()))

    def unsure(self) -> set[int]:
        """Indices of front rows whose accuracy may be no better than that of a faster front row: intervals overlap."""
        members = front(self.points())
        return {
            i
            for place, i in enumerate(members)
            if any(self.rows[j].measured.high >= self.rows[i].measured.low for j in members[:place])
        }

    def optimism(self) -> tuple[float, float, int] | None:
        """The search's accuracy minus the report's: of the winner, and as a mean over its front's members.

        In points, with the number of members; None where nothing was chosen.
        """
        gaps = {r.name: r.searched.accuracy - r.measured.accuracy for r in self.rows if r.member and r.searched}
        best = next((r.name for r in self.rows if r.winner), None)
        if best not in gaps:
            return None
        return 100 * gaps[best], 100 * fmean(gaps.values()), len(gaps)

    def caption(self) -> str:
        """What the numbers mean, in a few lines."""
        pairs = f"{self.report_problems} problems" + (f" x {self.samples} samples" if self.samples > 1 else "")
        selected = f" The front was chosen on {self.search_problems} others." if self.search_problems else ""
        held = "all replayed" if self.in_flight is None else f"mean {self.in_flight:.1f}"
        return (
            f"{self.model} on {self.data}, budget {self.budget} a problem, {self.load} requests in flight ({held}).\n"
            f"Measured on {pairs}.{selected} Failures count as wrong.\n"
            "Of a problem: p50/p95 seconds along its critical path; path: tokens generated along it (what the budget\n"
            "caps); B_seq: in + out along it; B_total: in + out of every call. fresh/old: generated tokens in all,\n"
            "paid now / replayed from the store."
        )


_SIGNS: dict[Title, str] = {"best": "*", "near": "+", "knee": "^"}

_HEAD = (
    "",
    "workflow",
    "accuracy [95 %]",
    "search",
    "p50 s",
    "p95 s",
    "path",
    "B_seq",
    "B_total",
    "calls",
    "fresh/old",
    "failed",
)


def cells(report: Report) -> list[tuple[str, ...]]:
    """The table's cells, a heading first."""
    on_front, unsure = report.fronted(), report.unsure()
    fronts = ["" if i not in on_front else "F~" if i in unsure else "F" for i in range(len(report.rows))]
    return [_HEAD, *(_cells(row, mark) for row, mark in zip(report.rows, fronts, strict=True))]


def _cells(row: Row, on_front: str) -> tuple[str, ...]:
    m, metrics = row.measured, row.measured.metrics
    mark = "".join(_SIGNS[title] for title in row.titles) + on_front + ("b" if row.baseline else "")
    fresh, total = metrics["sum_fresh_generated"], metrics["sum_total_generated"]
    return (
        mark,
        row.name,
        f"{100 * m.accuracy:.1f} [{100 * m.low:.1f}-{100 * m.high:.1f}]",
        f"{100 * row.searched.accuracy:.1f}" if row.searched else "-",
        f"{m.p50:.2f}",
        f"{m.p95:.2f}",
        amount(metrics["mean_seq_generated"]),
        amount(metrics["mean_b_seq"]),
        amount(metrics["mean_b_total"]),
        f"{metrics['mean_calls']:.1f}",
        f"{amount(fresh)}/{amount(total - fresh)}",
        " ".join(f"{kind} {n}" for kind, n in sorted(m.failures.items())) or "0",
    )


def as_text(report: Report) -> str:
    """The table for a terminal, a pager or a log: no colours, fixed columns, a legend below."""
    rows = cells(report)
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    left = {0, 1, len(_HEAD) - 1}
    lines = [
        "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    names = max(len(row.name) for row in report.rows)
    legend = [f"{row.name.ljust(names)}  {row.title}" for row in report.rows]
    notes = [_marks(report), *_optimism(report), report.caption()]
    return "\n".join(line.rstrip() for line in [*lines, "", *legend, "", *notes])


_FIELDS = (
    "study",
    "model",
    "budget",
    "data",
    "load",
    "in_flight",
    "latency",
    "search_problems",
    "report_problems",
    "samples",
)


def as_markdown(report: Report) -> str:
    """The same as a Markdown document, with every workflow's YAML."""
    head, *rows = cells(report)
    table = ["| " + " | ".join(row) + " |" for row in (head, tuple("---" for _ in head), *rows)]
    notes = (line for text in (_marks(report), *_optimism(report), report.caption()) for line in ("", text))
    parts = [f"# {report.study}", "", *table, *notes]
    for row in report.rows:
        parts += ["", f"## {row.name}", "", row.title, "", "```yaml", row.workflow.strip(), "```"]
    return "\n".join(parts) + "\n"


def as_json(report: Report) -> str:
    """The same as JSON."""
    return json.dumps(as_data(report), indent=1, ensure_ascii=False) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """The same as plain data."""
    plain: dict[str, Any] = {name: getattr(report, name) for name in _FIELDS}
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
            "search": row.searched.as_dict() if row.searched else None,
        }
        for i, row in enumerate(report.rows)
    ]
    return plain


def _marks(report: Report) -> str:
    marks = ["F: on this table's Pareto front"]
    if report.unsure():
        marks.append("F~: its interval overlaps that of a faster front member")
    won = {title for row in report.rows for title in row.titles}
    words = {"best": "the winner", "near": "the fastest within a point of it", "knee": "the front's knee"}
    told = [f"{_SIGNS[title]}: {words[title]}" for title in _SIGNS if title in won]
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


def ordered(rows: Sequence[Row], latency: Latency) -> tuple[Row, ...]:
    """Rows fastest first, as a front is read."""
    return tuple(sorted(rows, key=lambda row: (row.measured.point(latency).latency, row.name)))


def mean_in_flight(before: EndpointStats, after: EndpointStats) -> float | None:
    """Requests in flight between two snapshots, as a mean over the time there was any; None if there was none."""
    busy = after.busy_seconds - before.busy_seconds
    return (after.in_flight_seconds - before.in_flight_seconds) / busy if busy > 0 else None


def amount(tokens: float) -> str:
    """A number of tokens in at most five characters: `873`, `12.4k`, `1.32m`."""
    if tokens < 9_999.5:
        return f"{tokens:.0f}"
    if tokens < 999_950:
        return f"{tokens / 1e3:.1f}k"
    return f"{tokens / 1e6:.2f}m"
