"""Racing: what is surely dominated is given up, what may yet be on the front is not, at the stated error rate."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimize.objectives.racing import ERROR, Scores, beaten, rungs


def scores(right: list[float], seconds: float | list[float]) -> Scores:
    times = seconds if isinstance(seconds, list) else [seconds] * len(right)
    return Scores(tuple(right), (tuple(times),))


def drawn(rng: random.Random, count: int, accuracy: float, seconds: float) -> Scores:
    return scores(
        [float(rng.random() < accuracy) for _ in range(count)], [seconds * rng.uniform(0.7, 1.3) for _ in range(count)]
    )


@given(st.integers(1, 5000))
def test_rungs_double_up_to_all_problems_and_none_is_tiny(problems: int) -> None:
    found = rungs(problems)
    assert found[-1] == problems and found[0] >= min(problems, 8)
    assert all(b in (2 * a - 1, 2 * a) for a, b in pairwise(found))


def test_what_solves_nothing_is_given_up_at_the_first_rung_by_a_faster_workflow_that_solves_all() -> None:
    found = beaten(scores([0.0] * 8, 2.0), {3: scores([1.0] * 32, 1.0)}, middles=("median",), looks=2)
    assert found is not None
    assert (found.by, found.seen, found.ahead, found.behind) == (3, 8, 8, 0)
    assert str(found) == "dominated by t3 after 8 problems (better on 8, worse on 0, and no dearer)"


def test_a_faster_workflow_is_never_given_up_however_bad() -> None:
    assert beaten(scores([0.0] * 16, 0.5), {3: scores([1.0] * 32, 1.0)}, middles=("median",), looks=2) is None


def test_equal_accuracy_is_no_reason_to_stop() -> None:
    rival = scores([1.0, 0.0] * 16, 1.0)
    assert beaten(rival.first(16), {0: rival}, middles=("mean",), looks=2) is None
    slower = scores([1.0] * 16, 9.0)
    assert beaten(slower, {0: scores([1.0] * 32, 1.0)}, middles=("mean",), looks=2) is None


def test_without_rivals_or_latencies_nothing_is_given_up() -> None:
    bad = scores([0.0] * 16, 2.0)
    assert beaten(bad, {}, middles=("median",), looks=2) is None
    unknown = Scores((0.0,) * 16, ((None,) * 16,))
    assert beaten(unknown, {0: scores([1.0] * 16, 1.0)}, middles=("median",), looks=2) is None
    assert beaten(bad, {0: unknown}, middles=("median",), looks=2) is None


@pytest.mark.parametrize(("ahead", "behind"), [(6, 0), (7, 0), (9, 1), (8, 2), (12, 2)])
def test_the_doubt_is_that_of_the_exact_sign_test(ahead: int, behind: int) -> None:
    ties = 20 - ahead - behind
    mine = scores([0.0] * ahead + [1.0] * behind + [0.0] * ties, 2.0)
    rival = scores([1.0] * ahead + [0.0] * behind + [0.0] * ties, 1.0)
    differing = ahead + behind
    exact = sum(math.comb(differing, k) for k in range(behind + 1)) / 2**differing
    found = beaten(mine, {0: rival}, middles=("mean",), looks=1, error=1.0)
    assert found is not None
    assert found.doubt == pytest.approx(exact, abs=0.012)


def test_an_undominated_workflow_is_given_up_no_more_often_than_stated() -> None:
    rng = random.Random(0)
    looks = rungs(64)[:-1]
    given_up = 0
    for trial in range(300):
        # As accurate as its rival and slower: as near to being dominated as it can be without being so.
        rival, mine = drawn(rng, 64, 0.6, 1.0), drawn(rng, 64, 0.6, 2.0)
        given_up += any(
            beaten(mine.first(seen), {0: rival}, middles=("median",), looks=len(looks), seed=trial) for seen in looks
        )
    assert given_up / 300 <= ERROR


def test_a_clearly_dominated_workflow_is_mostly_given_up_early() -> None:
    rng = random.Random(1)
    looks = rungs(64)[:-1]
    spent = []
    for trial in range(60):
        rival, mine = drawn(rng, 64, 0.8, 1.0), drawn(rng, 64, 0.2, 1.5)
        stops = (
            seen
            for seen in looks
            if beaten(mine.first(seen), {0: rival}, middles=("median",), looks=len(looks), seed=trial)
        )
        spent.append(next(stops, 64))
    assert sum(spent) / len(spent) < 24


def test_the_most_accurate_of_those_no_slower_is_the_rival() -> None:
    rivals = {0: scores([1.0] * 16, 1.0), 1: scores([1.0] * 12 + [0.0] * 4, 0.2), 2: scores([1.0] * 16, 50.0)}
    found = beaten(scores([0.0] * 8, 2.0), rivals, middles=("mean",), looks=1)
    assert found is not None and found.by == 0


def test_with_two_costs_a_rival_must_surely_be_no_dearer_in_both() -> None:
    wrong, right = (0.0,) * 16, (1.0,) * 16

    def of(accuracy: tuple[float, ...], seconds: float, tokens: float) -> Scores:
        return Scores(accuracy, ((seconds,) * 16, (tokens,) * 16))

    mine, middles = of(wrong, 2.0, 500.0).first(8), ("median", "mean")
    assert beaten(mine, {0: of(right, 1.0, 900.0)}, middles=middles, looks=1) is None
    assert beaten(mine, {0: of(right, 3.0, 100.0)}, middles=middles, looks=1) is None
    found = beaten(mine, {0: of(right, 1.0, 900.0), 4: of(right, 1.0, 100.0)}, middles=middles, looks=1)
    assert found is not None and found.by == 4


def test_the_error_rate_holds_with_two_costs() -> None:
    rng = random.Random(2)
    looks = rungs(64)[:-1]
    given_up = 0
    for trial in range(100):
        rival, mine = drawn(rng, 64, 0.6, 1.0), drawn(rng, 64, 0.6, 2.0)
        # The rival is truly faster, and truly no better in accuracy and tokens: the edge of being dominated.
        pair = [Scores(s.accuracy, (*s.costs, tuple(rng.gauss(500, 100) for _ in s.accuracy))) for s in (rival, mine)]
        given_up += any(
            beaten(pair[1].first(n), {0: pair[0]}, middles=("median", "mean"), looks=len(looks), seed=trial)
            for n in looks
        )
    assert given_up / 100 <= ERROR


def test_every_cost_is_known_for_every_problem() -> None:
    with pytest.raises(ValueError):
        Scores((1.0, 0.0), ((1.0, 2.0), (1.0,)))
    with pytest.raises(ValueError):
        Scores((1.0, 0.0), ())
