"""The Pareto front of accuracy (more is better) against latency (less is better). Pure functions over points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

NEAR = 0.01
"""How far below the best accuracy (as a fraction) the fastest near winner may be: one point."""

Title = Literal["best", "near", "knee"]
"""Winners of a front: the most accurate, the fastest within a point of it, and where a further second buys least."""


class Point(NamedTuple):
    """One measured workflow: accuracy as a fraction, latency in seconds or tokens."""

    accuracy: float
    latency: float


def dominates(a: Point, b: Point) -> bool:
    """Whether `a` is no worse than `b` in both and better in one."""
    return a.accuracy >= b.accuracy and a.latency <= b.latency and a != b


def front(points: Sequence[Point]) -> list[int]:
    """Indices of the points that no other dominates, fastest first.

    Of equal points the first is kept. Points that solve nothing are on no front, unless nothing solves anything (then
    the fastest alone is).
    """
    order = sorted(range(len(points)), key=lambda i: (points[i].latency, -points[i].accuracy, i))
    kept: list[int] = []
    best = 0.0
    for i in order:
        if points[i].accuracy > best:
            kept.append(i)
            best = points[i].accuracy
    return kept or order[:1]


def spread(points: Sequence[Point], members: Sequence[int], most: int) -> list[int]:
    """At most `most` members of a front that stand for all of it, fastest first.

    The most accurate one is always kept, then the fastest; the others are dropped one by one, each time the one whose
    loss takes the least area from under the front.

    Args:
        points: All points.
        members: A front's indices, fastest first, as `front` gives them.
        most: How many to keep (at least 1).
    """
    kept = list(members)
    while len(kept) > max(1, most):
        if len(kept) == 2:
            return kept[1:]
        losses = [
            (_area(points[kept[i - 1]], points[kept[i]], points[kept[i + 1]]), i) for i in range(1, len(kept) - 1)
        ]
        kept.pop(min(losses)[1])
    return kept


def titles(points: Sequence[Point], members: Sequence[int]) -> dict[Title, int]:
    """The winners of a front by title; one member may have several, an empty front has none.

    The knee is the member farthest above the straight line from the fastest member to the most accurate one (both axes
    scaled to that line's ends; Satopaa et al. 2011, "Kneedle"); a front of two or fewer has its best there.

    Args:
        points: All points.
        members: A front's indices, fastest first, as `front` gives them.
    """
    if not members:
        return {}
    best = winner(points, members)
    near = next(i for i in members if points[i].accuracy >= points[best].accuracy - NEAR - 1e-9)
    fastest = points[members[0]]
    rise, run = points[best].accuracy - fastest.accuracy, points[best].latency - fastest.latency

    def above(i: int) -> float:
        return (points[i].accuracy - fastest.accuracy) / rise - (points[i].latency - fastest.latency) / run

    inner = [i for i in members if i != best and i != members[0]] if rise > 0 and run > 0 else []
    knee = max(inner, key=lambda i: (above(i), -points[i].latency), default=best)
    return {"best": best, "near": near, "knee": knee if not inner or above(knee) > 0 else best}


def _area(faster: Point, middle: Point, slower: Point) -> float:
    return (middle.accuracy - faster.accuracy) * (slower.latency - middle.latency)


def winner(points: Sequence[Point], members: Sequence[int]) -> int:
    """The most accurate member of a front; of equally accurate ones the fastest.

    Raises:
        ValueError: no members.
    """
    return max(members, key=lambda i: (points[i].accuracy, -points[i].latency))
