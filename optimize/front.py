"""The Pareto front of accuracy (more is better) against latency (less is better). Pure functions over points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


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


def _area(faster: Point, middle: Point, slower: Point) -> float:
    return (middle.accuracy - faster.accuracy) * (slower.latency - middle.latency)


def winner(points: Sequence[Point], members: Sequence[int]) -> int:
    """The most accurate member of a front; of equally accurate ones the fastest.

    Raises:
        ValueError: no members.
    """
    return max(members, key=lambda i: (points[i].accuracy, -points[i].latency))
