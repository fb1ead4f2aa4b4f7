"""The area a front dominates: how good a set of trade-offs is, in one number (Zitzler and Thiele 1998). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from optimize.objectives.front import Point, front


def hypervolume(points: Iterable[Point], worst: float) -> float:
    """The area between the points' front and the corner of no accuracy at the latency `worst`.

    Args:
        points: Accuracy as a fraction, latency in any unit.
        worst: Latency of the corner; points beyond it add nothing.
    """
    inside = [p for p in points if p.cost < worst and p.accuracy > 0]
    if not inside:
        return 0.0
    members = [inside[i] for i in front(inside)]
    ends = [*(p.cost for p in members[1:]), worst]
    return sum(p.accuracy * (end - p.cost) for p, end in zip(members, ends, strict=True))
