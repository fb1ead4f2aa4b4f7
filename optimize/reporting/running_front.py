"""How a search stands: the front so far and the failures by kind, as values and as text. Pure; knows no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point, front, spread
from optimize.reporting.numbers import counts


class Member(NamedTuple):
    """One workflow that was measured."""

    point: Point
    title: str


class RunningFront:
    """What has been measured so far.

    Args:
        objectives: What is weighed.
    """

    def __init__(self, objectives: Objectives) -> None:
        self._objectives = objectives
        self._measured: list[Member] = []
        self.failures: Counter[str] = Counter()

    def add(self, point: Point, title: str) -> bool:
        """Take in a workflow that may be on the front; whether it is now."""
        member = Member(point, title)
        self._measured.append(member)
        return any(kept is member for kept in self.front())

    def front(self, most: int | None = None) -> list[Member]:
        """The front so far, fastest first; at most `most` members that stand for all of it."""
        points = [member.point for member in self._measured]
        if not points:
            return []
        members = front(points)
        return [self._measured[i] for i in (members if most is None else spread(points, members, most))]

    def place(self, point: Point) -> str:
        """`62.5 % at 1.28 s`."""
        return f"{100 * point.accuracy:.1f} % at {self._objectives.told(point)}"

    def line(self, most: int) -> str:
        """The front in a line, with the title of its most accurate member; "" while there is none."""
        members = self.front(most)
        if not members:
            return ""
        return f"front {', '.join(self.place(m.point) for m in members)}: {members[-1].title}"


def failures_text(problems: Mapping[str, int], calls: Mapping[str, int]) -> str:
    """`problems failed: truncated 12, timeout 1; calls failed: server 14`; "" where nothing failed.

    Args:
        problems: Problems left without an answer, by kind.
        calls: Requests that brought no answer, by kind; some are tried again, and a workflow can do without a draft.
    """
    parts = [("problems", problems), ("calls", calls)]
    return "; ".join(f"{name} failed: {counts(kinds)}" for name, kinds in parts if any(kinds.values()))
