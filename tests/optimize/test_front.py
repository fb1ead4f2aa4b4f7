"""The front holds what nothing dominates, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from optimize.front import NEAR, Point, dominates, front, spread, titles, winner

POINTS = st.lists(
    st.builds(Point, st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), st.floats(0.1, 10).map(lambda x: round(x, 1))),
    min_size=1,
    max_size=30,
)


@given(POINTS)
def test_nothing_dominates_a_member_and_every_other_is_dominated_or_equal(points: list[Point]) -> None:
    members = front(points)
    solving = [p for p in points if p.accuracy > 0] or points
    for i in members:
        assert not any(dominates(p, points[i]) for p in solving)
    for p in solving:
        assert any(points[i] == p or dominates(points[i], p) for i in members)
    assert [points[i].cost for i in members] == sorted({points[i].cost for i in members})


@given(POINTS, st.randoms())
def test_order_does_not_matter(points: list[Point], rng: object) -> None:
    mixed = list(points)
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    assert [points[i] for i in front(points)] == [mixed[i] for i in front(mixed)]


@given(POINTS, st.integers(1, 6))
def test_a_spread_keeps_the_best_and_the_fastest(points: list[Point], most: int) -> None:
    members = front(points)
    kept = spread(points, members, most)
    assert len(kept) == min(most, len(members))
    assert kept == [i for i in members if i in kept]
    assert members[-1] in kept
    assert most == 1 or members[0] in kept


@given(POINTS)
def test_the_winner_is_the_most_accurate(points: list[Point]) -> None:
    best = winner(points, front(points))
    assert points[best].accuracy == max(p.accuracy for p in points)
    assert points[best].cost == min(p.cost for p in points if p.accuracy == points[best].accuracy)


def test_points_that_solve_nothing_are_on_no_front() -> None:
    points = [Point(0.0, 0.1), Point(0.4, 2.0), Point(0.2, 1.0)]
    assert front(points) == [2, 1]
    assert front([Point(0.0, 2.0), Point(0.0, 1.0)]) == [1]
    assert front([]) == []


def test_dominance() -> None:
    assert dominates(Point(0.5, 1), Point(0.5, 2)) and dominates(Point(0.6, 1), Point(0.5, 1))
    assert not dominates(Point(0.5, 1), Point(0.5, 1)) and not dominates(Point(0.6, 2), Point(0.5, 1))


@given(POINTS)
def test_winners_are_members_and_the_near_one_is_the_fastest_within_a_point(points: list[Point]) -> None:
    members = front(points)
    won = titles(points, members)
    assert set(won) == {"best", "near", "knee"} and set(won.values()) <= set(members)
    best, near = points[won["best"]], points[won["near"]]
    assert best == points[winner(points, members)]
    assert best.accuracy - near.accuracy <= NEAR + 1e-9
    assert all(points[i].accuracy < best.accuracy - NEAR for i in members if points[i].cost < near.cost)


def test_the_knee_is_where_the_front_bends() -> None:
    bent = [Point(0.1, 1.0), Point(0.7, 2.0), Point(0.75, 5.0), Point(0.8, 10.0)]
    assert titles(bent, front(bent)) == {"best": 3, "near": 3, "knee": 1}
    hollow = [Point(0.1, 1.0), Point(0.2, 9.0), Point(0.8, 10.0)]
    assert titles(hollow, front(hollow))["knee"] == 2
    assert titles(bent, []) == {}
