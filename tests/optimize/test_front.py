"""The front holds what nothing dominates, and nothing else."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimize.objectives.front import NEAR, Point, dominates, front, spread, titles, unsure, winner

ACCURACY = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
COST = st.floats(0.1, 10).map(lambda x: round(x, 1))


def some(*costs: st.SearchStrategy[float]) -> st.SearchStrategy[list[Point]]:
    return st.lists(st.builds(Point, ACCURACY, *costs), min_size=1, max_size=30)


PLANE = some(COST)
POINTS = st.one_of(PLANE, some(COST, COST), some(COST, COST, COST))
"""Of one cost, of two, of three: points of one list have the same."""


def solves(points: list[Point]) -> bool:
    return any(p.accuracy > 0 for p in points)


@given(POINTS)
def test_nothing_dominates_a_member_and_every_other_is_dominated_or_equal(points: list[Point]) -> None:
    members = front(points)
    solving = [p for p in points if p.accuracy > 0]
    assert bool(members) == bool(solving)
    for i in members:
        assert not any(dominates(p, points[i]) for p in solving)
    for p in solving:
        assert any(points[i] == p or dominates(points[i], p) for i in members)
    assert [points[i].costs for i in members] == sorted({points[i].costs for i in members})


@given(POINTS, st.randoms())
def test_order_does_not_matter(points: list[Point], rng: object) -> None:
    mixed = list(points)
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    assert [points[i] for i in front(points)] == [mixed[i] for i in front(mixed)]


@given(POINTS.filter(solves), st.integers(1, 6))
def test_a_spread_keeps_the_best_and_then_the_cheapest_by_each_cost(points: list[Point], most: int) -> None:
    members = front(points)
    kept = spread(points, members, most)
    assert len(kept) == min(most, len(members))
    assert kept == [i for i in members if i in kept]
    assert winner(points, members) in kept
    assert most == 1 or members[0] in kept
    if most > len(points[0].costs):
        for costs in zip(*(points[i].costs for i in members), strict=True):
            assert min(costs) in {costs[members.index(i)] for i in kept}


def test_a_spread_leaves_out_what_adds_least() -> None:
    points = [Point(0.1, 1.0), Point(0.5, 2.0), Point(0.52, 2.1), Point(0.9, 9.0)]
    assert spread(points, front(points), 3) == [0, 2, 3]
    flat = [Point(0.1, 1.0, 1.0), Point(0.6, 5.0, 2.0), Point(0.61, 5.1, 9.0), Point(0.9, 9.0, 9.5)]
    assert spread(flat, front(flat), 3) == [0, 1, 3]


@given(POINTS.filter(solves))
def test_the_winner_is_the_most_accurate_and_of_those_the_cheapest(points: list[Point]) -> None:
    best = winner(points, front(points))
    assert points[best].accuracy == max(p.accuracy for p in points)
    assert points[best].costs == min(p.costs for p in points if p.accuracy == points[best].accuracy)


def test_points_that_solve_nothing_are_on_no_front() -> None:
    points = [Point(0.0, 0.1), Point(0.4, 2.0), Point(0.2, 1.0)]
    assert front(points) == [2, 1]
    assert front([Point(0.0, 2.0), Point(0.0, 1.0)]) == []
    assert titles(points[:1], []) == {} and spread(points[:1], [], 3) == []
    assert front([]) == []


def test_dominance() -> None:
    assert dominates(Point(0.5, 1), Point(0.5, 2)) and dominates(Point(0.6, 1), Point(0.5, 1))
    assert not dominates(Point(0.5, 1), Point(0.5, 1)) and not dominates(Point(0.6, 2), Point(0.5, 1))


@given(POINTS.filter(solves))
def test_winners_are_members_and_the_near_one_is_the_fastest_within_a_point(points: list[Point]) -> None:
    members = front(points)
    won = titles(points, members)
    assert set(won) == {"best", "near", "knee"} and set(won.values()) <= set(members)
    best, near = points[won["best"]], points[won["near"]]
    assert best == points[winner(points, members)]
    assert best.accuracy - near.accuracy <= NEAR + 1e-9
    assert all(points[i].accuracy < best.accuracy - NEAR for i in members if points[i].cost < near.cost)


@given(PLANE.filter(solves))
def test_with_one_cost_the_knee_is_farthest_above_the_line_between_the_ends(points: list[Point]) -> None:
    members = front(points)
    first, last = points[members[0]], points[members[-1]]

    def above(p: Point) -> float:
        return (p.accuracy - first.accuracy) * (last.cost - first.cost) - (p.cost - first.cost) * (
            last.accuracy - first.accuracy
        )

    knee = points[titles(points, members)["knee"]]
    assert all(above(knee) >= above(points[i]) - 1e-9 for i in members)


@given(POINTS)
def test_the_knee_does_not_depend_on_the_units(points: list[Point]) -> None:
    members = front(points)
    # Powers of two: exact in floating point, so that ties stay ties.
    scaled = [Point(p.accuracy, *(c * 1024 for c in p.costs)) for p in points]
    assert titles(points, members) == titles(scaled, front(scaled))


def test_the_knee_is_where_the_front_bends() -> None:
    bent = [Point(0.1, 1.0), Point(0.7, 2.0), Point(0.75, 5.0), Point(0.8, 10.0)]
    assert titles(bent, front(bent)) == {"best": 3, "near": 3, "knee": 1}
    hollow = [Point(0.1, 1.0), Point(0.2, 9.0), Point(0.8, 10.0)]
    assert titles(hollow, front(hollow))["knee"] == 2
    assert titles(bent, []) == {}


def test_with_two_costs_the_knee_is_dear_in_neither() -> None:
    cheap, dear = Point(0.1, 1.0, 100.0), Point(0.8, 10.0, 1000.0)
    hasty, sparing, even = Point(0.7, 2.0, 950.0), Point(0.71, 9.5, 150.0), Point(0.65, 3.0, 300.0)
    points = [cheap, dear, hasty, sparing, even]
    assert titles(points, front(points)) == {"best": 1, "near": 1, "knee": 4}
    # Where the best is not dear in everything it may be the knee itself.
    assert titles([cheap, Point(0.8, 2.0, 1000.0)], [0, 1])["knee"] == 1


def test_a_member_is_unsure_beside_a_cheaper_one_alone() -> None:
    points = [Point(0.5, 1.0, 500.0), Point(0.6, 2.0, 400.0), Point(0.7, 3.0, 600.0)]
    intervals = [(0.4, 0.65), (0.55, 0.65), (0.66, 0.75)]
    assert (
        unsure(points, intervals) == set()
    )  # the second costs fewer tokens than the first, the third is surely better
    assert unsure(points, [(0.4, 0.67), *intervals[1:]]) == {2}
    assert unsure([Point(p.accuracy, p.cost) for p in points], intervals) == {1}


def test_points_travel() -> None:
    point = Point(0.5, 1.0, 200.0)
    again = pickle.loads(pickle.dumps(copy.deepcopy(point)))
    assert again == point and type(again) is Point and again.costs == (1.0, 200.0) and again.cost == 1.0
    with pytest.raises(ValueError):
        Point(0.5)
