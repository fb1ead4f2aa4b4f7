"""The part of the report that has a column for each load: accuracy, p50 seconds, and each load's front and winners.

Fronts and winners here are of the report's own measurements; nothing was chosen by them. Pure text and data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimize.objectives.front import Point, Title, front, titles, unsure
from optimize.objectives.loads import AtLoad, LoadLevel
from optimize.reporting.report import Report, Row

SIGNS: dict[Title, str] = {"best": "*", "near": "+", "knee": "^"}
"""How a table marks the winners."""


@dataclass(frozen=True)
class LoadFront:
    """A table's rows at one load.

    Attributes:
        level: The load.
        took: What each row took, in their order.
        points: The rows as points: accuracy over all loads, seconds at this one, tokens over all.
        members: The front's rows, fastest first.
        titles: What a row won, by title.
        unsure: Members whose accuracy may be no better than that of a cheaper one.
    """

    level: LoadLevel
    took: tuple[AtLoad, ...]
    points: tuple[Point, ...]
    members: tuple[int, ...]
    titles: Mapping[Title, int]
    unsure: frozenset[int]

    def marks(self, i: int) -> str:
        """Of a row: `*^F`."""
        won = "".join(SIGNS[title] for title, place in self.titles.items() if place == i)
        return won + ("" if i not in self.members else "F~" if i in self.unsure else "F")


def load_fronts(report: Report) -> list[LoadFront]:
    """The rows at every load that was held, the smallest first; none where there was one load."""
    return [_load_front(report, level) for level in report.levels]


def _load_front(report: Report, level: LoadLevel) -> LoadFront:
    took = tuple(next(t for t in row.loads if t.load == level.load) for row in report.rows)
    points = [_point(report, row, t) for row, t in zip(report.rows, took, strict=True)]
    members = front(points)
    intervals = [(row.measured.low, row.measured.high) for row in report.rows]
    return LoadFront(
        level, took, tuple(points), tuple(members), titles(points, members), frozenset(unsure(points, intervals))
    )


def _point(report: Report, row: Row, took: AtLoad) -> Point:
    # Where there are several loads, latency is weighed, in seconds: the first cost.
    accuracy, _, *others = row.measured.point(report.objectives)
    return Point(accuracy, took.p50, *others)


def cells(report: Report) -> list[tuple[str, ...]]:
    """The table's cells, a heading first."""
    found = load_fronts(report)
    head = ("workflow", "accuracy [95 %]", *(f"p50 s at load {s.level.load}" for s in found))
    rows = [
        (
            row.name,
            f"{100 * row.measured.accuracy:.1f} [{100 * row.measured.low:.1f}-{100 * row.measured.high:.1f}]",
            *(f"{s.marks(i)} {s.took[i].p50:.2f}".strip() for s in found),
        )
        for i, row in enumerate(report.rows)
    ]
    return [head, *rows]


def caption(report: Report) -> str:
    """What the numbers mean, in a few lines."""
    kept = ", ".join(
        f"{h.problems} at load {h.load} ({'all replayed' if h.in_flight is None else f'mean {h.in_flight:.1f}'})"
        for h in report.levels
    )
    chosen = (
        f"\nThe search was made at load {report.load}; the winners' files are of its choice."
        if report.search_problems
        else ""
    )
    return (
        f"Problems (and requests in flight): {kept}.\n"
        "At each load they are the first of the same problems, with samples of their own. Accuracy is pooled over the\n"
        "loads, for they do not change what is said. A workflow that sends more requests at once than the load takes\n"
        "turns, and the turns count. Marks are of these measurements, at each load: F: on the front (F~: its interval\n"
        "overlaps that of a cheaper member), *: the most accurate, +: the fastest within a point of it, ^: the knee."
    ) + chosen


def as_data(report: Report) -> list[dict[str, Any]]:
    """The same as plain data: an entry for each load."""
    names = [row.name for row in report.rows]
    return [
        {
            "load": s.level.load,
            "problems": s.level.problems,
            "in_flight": s.level.in_flight,
            "front": [names[i] for i in s.members],
            "unsure": [names[i] for i in sorted(s.unsure)],
            "titles": {title: names[i] for title, i in s.titles.items()},
            "rows": [
                {"name": name, "p50": took.p50, "p95": took.p95, "count": took.count, "marks": s.marks(i)}
                for i, (name, took) in enumerate(zip(names, s.took, strict=True))
            ],
        }
        for s in load_fronts(report)
    ]
