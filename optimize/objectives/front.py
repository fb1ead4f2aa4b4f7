"""The Pareto front of accuracy (more is better) against one cost or more (less is better). Pure functions over points.

A cost is whatever a search weighs accuracy against: seconds, tokens. Nothing here depends on how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

NEAR = 0.01
"""How far below the best accuracy (as a fraction) the fastest near winner may be: one point."""

Title = Literal["best", "near", "knee"]
"""Winners of a front: the most accurate, the fastest within a point of it, and where further cost buys least."""


class Point(tuple[float, ...]):
    """One measured workflow: accuracy as a fraction, then its costs in the order of the search's objectives.

    Raises:
        ValueError: no cost.
    """

    __slots__ = ()

    def __new__(cls, accuracy: float, *costs: float) -> Self:
        if not costs:
            raise ValueError("a point has at least one cost")
        return super().__new__(cls, (accuracy, *costs))

    def __getnewargs__(self) -> tuple[float, ...]:
        return tuple(self)

    @property
    def accuracy(self) -> float:
        """As a fraction."""
        return self[0]

    @property
    def costs(self) -> tuple[float, ...]:
        """All of them."""
        return tuple(self[1:])

    @property
    def cost(self) -> float:
        """The first: what "fast" and "slow" go by."""
        return self[1]


def dominates(a: Point, b: Point) -> bool:
    """Whether `a` is no worse than `b` in everything and better in something."""
    return a.accuracy >= b.accuracy and cheaper(a, b) and a != b


def cheaper(a: Point, b: Point) -> bool:
    """Whether `a` costs no more than `b`, whatever is counted."""
    return all(mine <= theirs for mine, theirs in zip(a.costs, b.costs, strict=True))


def front(points: Sequence[Point]) -> list[int]:
    """Indices of the points that no other dominates, fastest first (of equally fast ones by the next cost).

    Of equal points the first is kept. Points that solve nothing are on no front: where nothing solves anything there is
    none.
    """
    order = sorted(range(len(points)), key=lambda i: (points[i].costs, -points[i].accuracy, i))
    kept: list[int] = []
    for i in order:  # whatever dominates a point, or equals it, comes before it
        mine = points[i]
        if mine.accuracy > 0 and not any(
            points[j].accuracy >= mine.accuracy and cheaper(points[j], mine) for j in kept
        ):
            kept.append(i)
    return kept


def unsure(points: Sequence[Point], intervals: Sequence[tuple[float, float]]) -> set[int]:
    """Indices of the front's members that may be no better than a cheaper one: their accuracy's intervals overlap.

    Args:
        points: All points.
        intervals: Of their accuracies, low and high.
    """
    members = front(points)
    return {
        i
        for i in members
        if any(j != i and cheaper(points[j], points[i]) and intervals[j][1] >= intervals[i][0] for j in members)
    }


def spread(points: Sequence[Point], members: Sequence[int], most: int) -> list[int]:
    """At most `most` members of a front that stand for all of it, fastest first.

    The most accurate one is always kept, then the cheapest by each cost; the others are added one by one, each time
    the one that adds most to the volume the kept ones dominate (the front's hypervolume, bounded by its own ends).

    Args:
        points: All points.
        members: A front's indices, fastest first, as `front` gives them.
        most: How many to keep (at least 1).
    """
    if not members:
        return []
    least = [min(values) for values in zip(*(points[i].costs for i in members), strict=True)]
    cheapest = (next(i for i in members if points[i].costs[c] == value) for c, value in enumerate(least))
    kept = list(dict.fromkeys((winner(points, members), *cheapest)))[: max(1, most)]
    boxes = dict(zip(members, _boxes([points[i] for i in members]), strict=True))
    while len(kept) < min(most, len(members)):
        rest = [i for i in members if i not in kept]
        kept.append(max(rest, key=lambda i: _volume([boxes[i], *(boxes[j] for j in kept)])))
    return [i for i in members if i in kept]


def titles(points: Sequence[Point], members: Sequence[int]) -> dict[Title, int]:
    """The winners of a front by title; one member may have several, an empty front has none.

    The knee is the member with the most accuracy beyond what its costs would buy if accuracy rose evenly with them:
    with accuracy and every cost scaled to 0..1 between the least and the most of the front, the one farthest above the
    plane `accuracy = mean of the costs`, which goes from the front's cheap end to its dear one. With one cost the plane
    is the straight line from the fastest member to the most accurate one (Satopaa et al. 2011, "Kneedle"). With several
    it is this plane and not the one through the members that are best in each objective (Das 1999), because that one
    is not defined where one workflow is the cheapest in everything, and short chains often are. Where none is above
    the best (a front of two, a hollow one) the best is the knee.

    Args:
        points: All points.
        members: A front's indices, fastest first, as `front` gives them.
    """
    if not members:
        return {}
    best = winner(points, members)
    near = next(i for i in members if points[i].accuracy >= points[best].accuracy - NEAR - 1e-9)
    shares = dict(zip(members, _shares([points[i] for i in members]), strict=True))

    def above(i: int) -> float:
        accuracy, *costs = shares[i]
        return accuracy - sum(costs) / len(costs)

    knee = max(members, key=lambda i: (above(i), i == best, [-c for c in points[i].costs]))
    return {"best": best, "near": near, "knee": knee}


def winner(points: Sequence[Point], members: Sequence[int]) -> int:
    """The most accurate member of a front; of equally accurate ones the fastest.

    Raises:
        ValueError: no members.
    """
    return max(members, key=lambda i: (points[i].accuracy, [-c for c in points[i].costs]))


def _shares(points: Sequence[Point]) -> list[list[float]]:
    """Each number of the points as a share (0 to 1) of the way from the least to the most there is."""
    ends = [(min(values), max(values)) for values in zip(*points, strict=True)]
    return [
        [(value - low) / (high - low) if high > low else 0.0 for value, (low, high) in zip(point, ends, strict=True)]
        for point in points
    ]


def _boxes(points: Sequence[Point]) -> list[list[float]]:
    """How far each point is from the worst there is, as shares of the way to the best: sides of what it dominates."""
    return [[accuracy, *(1 - cost for cost in costs)] for accuracy, *costs in _shares(points)]


def _volume(boxes: Sequence[Sequence[float]]) -> float:
    """Of the union of boxes that share their lowest corner, each given by its sides."""
    if len(boxes[0]) == 1:
        return max(box[0] for box in boxes)
    order = sorted(boxes, key=lambda box: -box[-1])
    below = [*(box[-1] for box in order[1:]), 0.0]
    return sum(
        (box[-1] - next_) * _volume([b[:-1] for b in order[: i + 1]])
        for i, (box, next_) in enumerate(zip(order, below, strict=True))
        if box[-1] > next_
    )
