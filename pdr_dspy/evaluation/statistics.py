"""The statistics of an evaluation: intervals, quantiles, paired differences. Pure functions; randomness is seeded.

The problem is the unit that is resampled: the samples of one problem are no independent evidence about the next.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

RESAMPLES = 2000


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
        interval: Its bootstrap interval over problems.
        problems: How many problems both sides share.
        wins, losses: Problems where the second is higher, and lower.
    """

    mean: float
    interval: Interval
    problems: int
    wins: int
    losses: int


def wilson(successes: float, trials: int, level: float = 0.95) -> Interval:
    """Wilson's interval of a proportion. Without trials nothing is known: 0 to 1.

    Args:
        successes: From 0 to `trials`; need not be whole (a mean over samples times the number of problems).
        trials: Independent trials.
        level: Coverage.
    """
    if trials == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + level) / 2)
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


def bootstrap_mean(values: Sequence[float], level: float = 0.95, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Percentile bootstrap interval of the mean of `values`, one of them a problem.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("a bootstrap needs at least one value")
    rng = random.Random(seed)
    # Sorted, so that the interval does not depend on the problems' order.
    pool, size = sorted(values), len(values)
    means = [fmean(rng.choices(pool, k=size)) for _ in range(resamples)]
    mean = fmean(pool)
    low, high = quantile(means, (1 - level) / 2), quantile(means, (1 + level) / 2)
    return Interval(min(low, mean), max(high, mean))


def mean_share(shares: Sequence[float], level: float = 0.95, seed: int = 0) -> Interval:
    """Interval of the mean of problems' shares (each 0 to 1) by bootstrap.

    Where every problem has the same share there is nothing to resample, and a bootstrap would claim certainty; there
    it is Wilson's interval with one trial a problem, which is never too narrow.
    """
    if len(set(shares)) <= 1:
        return wilson(sum(shares), len(shares), level)
    return bootstrap_mean(shares, level, seed)


def paired_difference(
    first: Sequence[float], second: Sequence[float], level: float = 0.95, seed: int = 0, resamples: int = RESAMPLES
) -> Difference:
    """Second minus first, problem by problem, with a bootstrap interval over problems.

    Args:
        first, second: A value a problem, in the same order.
        level: Coverage.
        seed: Of the resampling.
        resamples: How many.

    Raises:
        ValueError: lengths that differ, or nothing to compare.
    """
    deltas = [b - a for a, b in zip(first, second, strict=True)]
    return Difference(
        mean=fmean(deltas) if deltas else math.nan,
        interval=bootstrap_mean(deltas, level, seed, resamples),
        problems=len(deltas),
        wins=sum(d > 0 for d in deltas),
        losses=sum(d < 0 for d in deltas),
    )
