"""Properties of the statistics."""

from __future__ import annotations

import math
import random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.intervals import DIFFERENCES, MEANS, Kind, bootstrap, coverage, of_difference, of_mean
from pdr_dspy.evaluation.statistics import mean_interval, mean_share, paired_difference, quantile, wilson

numbers = st.floats(-1e6, 1e6)
lists = st.lists(numbers, min_size=1, max_size=30)
shares = st.sampled_from([0.0, 0.125, 0.25, 1 / 3, 0.5, 0.75, 0.875, 1.0])
levels = st.sampled_from([0.8, 0.9, 0.95, 0.99])


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


@given(st.lists(shares, min_size=1, max_size=40), levels, st.randoms())
def test_an_accuracy_s_interval_is_a_proportion_holds_the_mean_and_ignores_order(
    values: list[float], level: float, rng: random.Random
) -> None:
    interval = mean_share(values, level)
    assert 0 <= interval.low <= fmean(values) <= interval.high <= 1 and interval.high > interval.low
    shuffled = list(values)
    rng.shuffle(shuffled)
    other = mean_share(shuffled, level)
    assert other.low == pytest.approx(interval.low) and other.high == pytest.approx(interval.high)
    mirrored = mean_share([1 - value for value in values], level)
    assert mirrored.low == pytest.approx(1 - interval.high) and mirrored.high == pytest.approx(1 - interval.low)


@given(st.lists(st.sampled_from([0.0, 1.0]), max_size=60), levels)
def test_one_sample_a_problem_is_wilsons_to_the_last_bit(values: list[float], level: float) -> None:
    assert mean_share(values, level) == wilson(sum(values), len(values), level)


@given(st.lists(shares, min_size=1, max_size=40), st.integers(0, 39), st.floats(0, 1), levels)
def test_a_share_that_grows_lowers_neither_end(values: list[float], place: int, more: float, level: float) -> None:
    place %= len(values)
    grown = [*values[:place], values[place] + (1 - values[place]) * more, *values[place + 1 :]]
    before, after = mean_share(values, level), mean_share(grown, level)
    assert after.low >= before.low - 1e-12 and after.high >= before.high - 1e-12


@given(st.integers(1, 300), st.floats(0.001, 0.999), levels)
def test_doubt_about_one_problem_does_not_narrow_the_interval(count: int, share: float, level: float) -> None:
    sure, doubted = mean_share([1.0] * count, level), mean_share([1.0] * (count - 1) + [share], level)
    assert doubted.high - doubted.low >= sure.high - sure.low - 1e-12


def test_an_interval_does_not_jump() -> None:
    sure, nearly = mean_share([1.0] * 30), mean_share([1.0] * 29 + [1 - 1e-9])
    assert nearly.low == pytest.approx(sure.low, abs=1e-8) and nearly.high == pytest.approx(sure.high, abs=1e-8)


def test_samples_count_for_more_than_nothing_and_less_than_problems() -> None:
    # 40 problems, each right in half of 8 samples: between 40 and 320 independent trials.
    found = mean_share([0.5] * 40)
    assert wilson(20, 40).low < found.low < wilson(160, 320).low
    # Known: n / (1 - n/4 / (n/4 + z*z/2)) = 40 * (10 + 1.9207) / 1.9207 = 248.3 trials.
    assert found.low == pytest.approx(wilson(124.13, 248.26).low, abs=1e-4)


def test_shares_that_are_none_are_refused() -> None:
    assert mean_share([]) == wilson(0, 0)
    for call in (lambda: mean_share([1.5]), lambda: paired_difference([0.5], [-0.1], shares=True)):
        with pytest.raises(ValueError, match="share"):
            call()


SEVERAL = [(16, 4), (30, 2), (60, 8)]


@pytest.mark.parametrize("cell", SEVERAL)
@pytest.mark.parametrize("kind", [kind for kind in MEANS if not kind.all_or_nothing], ids=lambda kind: kind.name)
def test_an_accuracy_s_interval_covers_as_often_as_it_says(kind: Kind, cell: tuple[int, int]) -> None:
    # Of 600, 95 % +- 0.9 points: what truly covers 95 % is below 92.5 % less than once in 300 such tests.
    assert coverage(kind, of_mean, problems=cell[0], samples=cell[1], runs=600).share >= 0.925


@pytest.mark.parametrize("cell", [(16, 1), *SEVERAL])
@pytest.mark.parametrize("kind", DIFFERENCES, ids=lambda kind: kind.name)
def test_a_difference_s_interval_covers_as_often_as_it_says(kind: Kind, cell: tuple[int, int]) -> None:
    assert coverage(kind, of_difference, problems=cell[0], samples=cell[1], runs=600).share >= 0.925


def test_the_simulation_tells_an_interval_that_does_not_cover() -> None:
    kind = next(kind for kind in MEANS if kind.name == "all 0.97")
    rng = np.random.default_rng(0)
    assert coverage(kind, lambda s: bootstrap(s, rng), problems=16, samples=2, runs=200).share < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("problems", [16, 30, 60])
@pytest.mark.parametrize("samples", [2, 4, 8])
def test_coverage_in_every_cell(problems: int, samples: int) -> None:
    for kinds, method in ((MEANS, of_mean), (DIFFERENCES, of_difference)):
        for kind in kinds:
            if not kind.all_or_nothing:
                found = coverage(kind, method, problems=problems, samples=samples, runs=4000)
                assert found.share >= 0.935, kind.name


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=30))
def test_paired_difference(pairs: list[tuple[float, float]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    forth, back = paired_difference(first, second, shares=False), paired_difference(second, first, shares=False)
    assert math.isclose(forth.mean, -back.mean, abs_tol=1e-6)
    assert (forth.wins, forth.losses) == (back.losses, back.wins)
    assert forth.mean in forth.interval and forth.problems == len(pairs)


@given(st.lists(st.tuples(shares, shares), min_size=1, max_size=40), levels)
def test_a_difference_of_shares_is_within_bounds_and_never_certain(
    pairs: list[tuple[float, float]], level: float
) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found, back = paired_difference(first, second, level), paired_difference(second, first, level)
    assert -1 <= found.interval.low <= found.mean <= found.interval.high <= 1
    assert found.interval.low < found.interval.high
    assert found.interval.low == pytest.approx(-back.interval.high)
    assert found.interval.high == pytest.approx(-back.interval.low)


def test_ties_are_no_certainty_and_less_of_it_on_fewer_problems() -> None:
    few, many = (paired_difference([1.0] * count, [1.0] * count).interval for count in (16, 60))
    assert few.low < many.low < 0 < many.high < few.high < 0.2


def test_one_sample_a_problem_is_bonett_and_prices_interval() -> None:
    # 30 problems, 9 better and 2 worse: (10 - 3) / 32 +- t(31) * sqrt((13 / 32 - (7 / 32) ** 2) / 32).
    first, second = [0.0] * 9 + [1.0] * 21, [1.0] * 9 + [0.0] * 2 + [1.0] * 19
    found = paired_difference(first, second)
    half = 2.0395 * math.sqrt((13 / 32 - (7 / 32) ** 2) / 32)
    assert (found.wins, found.losses) == (9, 2) and found.mean == pytest.approx(7 / 30)
    assert found.interval.low == pytest.approx(7 / 32 - half, abs=1e-4)
    assert found.interval.high == pytest.approx(7 / 32 + half, abs=1e-4)


def test_pairing_sees_what_intervals_apart_do_not() -> None:
    rng = random.Random(0)
    first = [rng.random() for _ in range(100)]
    second = [value + 0.05 + 0.01 * rng.random() for value in first]
    assert 0 not in paired_difference(first, second, shares=False).interval
    assert mean_interval(first).high > mean_interval(second).low
    with pytest.raises(ValueError):
        paired_difference([1], [1, 2])
    with pytest.raises(ValueError):
        paired_difference([], [])


def test_values_without_bounds_have_students_interval() -> None:
    found = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.low == pytest.approx(3 - 2.7764 * math.sqrt(2.5 / 5), abs=1e-3) and found.low + found.high == 6
    assert mean_interval([7.0]).high == math.inf and mean_interval([7.0, 7.0]).low == 7
    with pytest.raises(ValueError):
        mean_interval([])
