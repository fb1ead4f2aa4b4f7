"""Properties of the statistics."""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.evaluation.statistics import bootstrap_mean, mean_share, paired_difference, quantile, wilson

numbers = st.floats(-1e6, 1e6)
lists = st.lists(numbers, min_size=1, max_size=30)
FEW = 100


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_holds_the_share_and_stays_a_proportion(counts: tuple[int, int], level: float) -> None:
    successes, trials = counts
    interval = wilson(successes, trials, level)
    assert 0 <= interval.low <= interval.high <= 1
    assert trials == 0 or successes / trials in interval


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_symmetric_and_narrows(counts: tuple[int, int]) -> None:
    successes, trials = counts
    one, other = wilson(successes, trials), wilson(trials - successes, trials)
    assert math.isclose(one.low, 1 - other.high, abs_tol=1e-9)
    more = wilson(successes * 4, trials * 4)
    assert more.high - more.low < one.high - one.low
    wide = wilson(successes, trials, 0.99)
    assert wide.low <= one.low and one.high <= wide.high


def test_wilson_known_values() -> None:
    assert wilson(0, 0).high == 1
    assert wilson(15, 30).low == pytest.approx(0.3315, abs=1e-4)
    assert wilson(30, 30).low == pytest.approx(0.8865, abs=1e-4)


@given(lists, st.floats(0, 1), st.floats(0, 1))
def test_quantiles_are_monotone_and_inside(values: list[float], p: float, q: float) -> None:
    low, high = sorted((p, q))
    assert min(values) <= quantile(values, low) <= quantile(values, high) + 1e-6
    assert quantile(values, 0) == min(values) and quantile(values, 1) == max(values)


def test_quantile_edges() -> None:
    assert quantile([1, 3], 0.5) == 2 and math.isnan(quantile([], 0.5))
    with pytest.raises(ValueError):
        quantile([1], 95)


@given(lists, st.randoms())
def test_bootstrap_holds_the_mean_and_ignores_order(values: list[float], rng: random.Random) -> None:
    interval = bootstrap_mean(values, resamples=FEW)
    assert min(values) - 1e-6 <= interval.low <= fmean(values) + 1e-6 and fmean(values) <= interval.high + 1e-6
    shuffled = list(values)
    rng.shuffle(shuffled)
    assert bootstrap_mean(shuffled, resamples=FEW) == interval


def test_bootstrap_covers_about_as_often_as_it_says() -> None:
    rng = random.Random(1)
    covered = sum(0.5 in bootstrap_mean([rng.random() for _ in range(40)], resamples=200) for _ in range(200))
    assert 175 <= covered <= 200


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=30))
def test_no_certainty_about_shares(shares: list[float]) -> None:
    interval = mean_share(shares)
    assert 0 <= interval.low <= fmean(shares) <= interval.high <= 1
    assert interval.high - interval.low > 0


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=30))
def test_paired_difference(pairs: list[tuple[float, float]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    forth, back = paired_difference(first, second, resamples=FEW), paired_difference(second, first, resamples=FEW)
    assert math.isclose(forth.mean, -back.mean, abs_tol=1e-6)
    assert (forth.wins, forth.losses) == (back.losses, back.wins)
    assert forth.mean in forth.interval and forth.problems == len(pairs)


def test_pairing_sees_what_intervals_apart_do_not() -> None:
    rng = random.Random(0)
    first = [rng.random() for _ in range(100)]
    second = [value + 0.05 for value in first]
    assert 0 not in paired_difference(first, second).interval
    assert bootstrap_mean(first).high > bootstrap_mean(second).low
    with pytest.raises(ValueError):
        paired_difference([1], [1, 2])
