"""The statistics of an evaluation: intervals, quantiles, paired differences. Pure functions without randomness.

The problem is the unit: the samples of one problem are no independent evidence about the next. How often the
intervals hold what they are for is simulated by `experiments.intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from pdr_dspy.extras import needed


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Difference:
    """A paired difference, second minus first.

    Attributes:
        mean: Mean of the problems' differences.
        interval: Its interval, over problems.
        problems: How many problems both sides share.
        wins, losses: Problems where the second is higher, and lower.
    """

    mean: float
    interval: Interval
    problems: int
    wins: int
    losses: int


def wilson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Wilson's interval of a proportion (Wilson 1927, JASA 22:209). Without trials nothing is known: 0 to 1.

    Args:
        successes: From 0 to `trials`; need not be whole.
        trials: Independent trials; need not be whole (an effective number).
        level: Coverage.
    """
    if trials == 0:
        return Interval(0.0, 1.0)
    z = _normal(level)
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(max(0.0, share * (1 - share)) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    # The ends are exactly 0 and 1 where nothing, or everything, succeeded; rounding must not push them inside.
    low = 0.0 if successes <= 0 else max(0.0, centre - half)
    high = 1.0 if successes >= trials else min(1.0, centre + half)
    return Interval(min(low, share), max(high, share))


def quantile(values: Sequence[float], q: float) -> float:
    """The `q`-quantile (0 to 1), linear between the two nearest values; NaN where there are none."""
    if not 0 <= q <= 1:
        raise ValueError(f"a quantile is from 0 to 1, not {q}")
    if not values:
        return math.nan
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def mean_share(shares: Sequence[float], level: float = 0.95) -> Interval:
    """Interval of the mean of problems' shares of right samples: Wilson's, with the effective number of trials.

    Several samples of a problem tell more than one, but less than as many problems. How much more follows from the
    design effect, the variance between problems against that of independent trials (Korn and Graubard 1998, Survey
    Methodology 24:193). Where nearly all shares are 0, or nearly all 1, both variances are small and their ratio says
    little. So `z * z / 2` is added to both sums of squares, which draws the ratio to 1, one trial a problem (Agresti
    and Coull 1998, Am. Stat. 52:119, add as many successes and failures for the same reason). With that number a
    share that grows lowers neither end, and doubt about one problem does not narrow the interval; with 1 it may.

    Shares that are all 0 or 1, as those of one sample a problem, give exactly `wilson(sum(shares), len(shares))`.

    Args:
        shares: One a problem, each 0 to 1. None at all: nothing is known, 0 to 1.
        level: Coverage.

    Raises:
        ValueError: a share below 0 or above 1.
    """
    if not shares:
        return Interval(0.0, 1.0)
    _check_shares(shares)
    count, mean = len(shares), fmean(shares)
    within = math.fsum(share * (1 - share) for share in shares)
    design = 1 - within / (count * mean * (1 - mean) + _prior(level))
    found = wilson(math.fsum(shares) / design, count / design, level)
    return Interval(min(found.low, mean), max(found.high, mean))  # rounding must not push the mean outside


def paired_difference(
    first: Sequence[float], second: Sequence[float], level: float = 0.95, *, shares: bool | None = None
) -> Difference:
    """Second minus first, problem by problem, with its interval over problems.

    Of shares it is Bonett and Price's (2012, J. Educ. Behav. Stat. 37:479): Wald's, with one more problem in favour of
    each side, so that ties on all problems are no certainty. Here it has Student's t, and for several samples a
    problem an effective number of problems as in `mean_share`. Never outside -1 to 1.

    Of other values (seconds, tokens) it is Student's t. Where all differ by the same it is a point: nothing that was
    seen varies. Of one problem it is infinite.

    Args:
        first, second: A value a problem, in the same order.
        level: Coverage.
        shares: Whether the values are shares of right samples, from 0 to 1. None: if all of them could be.

    Raises:
        ValueError: lengths that differ, nothing to compare, or shares that are none.
    """
    deltas = [b - a for a, b in zip(first, second, strict=True)]
    if not deltas:
        raise ValueError("a difference needs at least one problem")
    if shares is None:
        shares = all(0 <= value <= 1 for values in (first, second) for value in values)
    elif shares:
        _check_shares([*first, *second])
    return Difference(
        mean=fmean(deltas),
        interval=_of_share_differences(deltas, level) if shares else mean_interval(deltas, level),
        problems=len(deltas),
        wins=sum(d > 0 for d in deltas),
        losses=sum(d < 0 for d in deltas),
    )


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's t interval of a mean of values without bounds, one a problem; infinite for one value.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("an interval needs at least one value")
    mean, count = fmean(values), len(values)
    if count == 1:
        return Interval(-math.inf, math.inf)
    half = _student(level, count - 1) * stdev(values, mean) / math.sqrt(count)
    return Interval(mean - half, mean + half)


def _of_share_differences(deltas: Sequence[float], level: float) -> Interval:
    count, mean = len(deltas), fmean(deltas)
    moved = math.fsum(abs(delta) for delta in deltas)
    within = math.fsum(abs(delta) * (1 - abs(delta)) for delta in deltas)
    pairs = count / (1 - within / (moved - count * mean * mean + _prior(level)))
    # Of so many pairs these are better and worse, and one more each.
    better, worse = ((moved / count + sign * mean) / 2 * pairs + 1 for sign in (1, -1))
    total = pairs + 2
    centre = (better - worse) / total
    variance = max(0.0, (better + worse) / total - centre * centre)
    half = _student(level, count + 1) * math.sqrt(variance / total)
    return Interval(min(mean, max(-1.0, centre - half)), max(mean, min(1.0, centre + half)))


def _check_shares(shares: Sequence[float]) -> None:
    if not all(0 <= share <= 1 for share in shares):
        wrong = next(share for share in shares if not 0 <= share <= 1)
        raise ValueError(f"a share is from 0 to 1, not {wrong}")


def _prior(level: float) -> float:
    """What is added to both sums of squares of a design effect."""
    return _normal(level) ** 2 / 2


def _normal(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def _student(level: float, freedom: int) -> float:
    with needed("search", "a paired difference"):
        from scipy.special import stdtrit
    return float(stdtrit(freedom, (1 + level) / 2))
