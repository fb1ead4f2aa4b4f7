"""How often the intervals of an evaluation hold what they are for: `python -m experiments.intervals`.

Each cell draws problems of a kind (what their chances of a right answer are), samples of each, and counts how often
the 95 % interval holds the true value. The table shows, for every kind, the lowest coverage of any number of problems
and of samples, beside that of the percentile bootstrap over problems and of one sample a problem.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from pdr_dspy.evaluation.statistics import Interval, mean_share, paired_difference

Chances = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Chances]
Method = Callable[[Chances], Interval]

PROBLEMS = (16, 30, 60, 200)
SAMPLES = (1, 2, 4, 8)
RESAMPLES = 400


@dataclass(frozen=True)
class Kind:
    """A kind of problems for one program, or for two.

    Attributes:
        name: For the table.
        draw: A generator and a number of problems to their chances, of shape (problems, 1), or (problems, 2).
        truth: What an interval should hold: the mean chance, or the mean of second minus first.
        all_or_nothing: Every chance is 0 or 1: further samples of a problem say nothing.
    """

    name: str
    draw: Draw
    truth: float
    all_or_nothing: bool = False


@dataclass(frozen=True)
class Coverage:
    """How often an interval held the truth (0 to 1), and its mean width."""

    share: float
    width: float


def coverage(kind: Kind, method: Method, *, problems: int, samples: int, runs: int, seed: int = 0) -> Coverage:
    """Simulate one cell.

    Args:
        kind: The problems.
        method: Shares of shape (problems, programs) to an interval.
        problems, samples: How many problems, and samples of each.
        runs: How many evaluations are drawn.
        seed: Of the draws.
    """
    rng = np.random.default_rng([seed, problems, samples])
    found = [method(rng.binomial(samples, kind.draw(rng, problems)) / samples) for _ in range(runs)]
    # Rounding must not decide where an end of the interval is the truth itself.
    held = fmean(each.low - 1e-9 <= kind.truth <= each.high + 1e-9 for each in found)
    return Coverage(held, fmean(each.high - each.low for each in found))


def of_mean(shares: Chances) -> Interval:
    """The interval of an accuracy."""
    return mean_share([float(share) for share in shares[:, 0]])


def of_difference(shares: Chances) -> Interval:
    """The interval of a paired difference."""
    first, second = ([float(share) for share in column] for column in shares.T)
    return paired_difference(first, second, shares=True).interval


def bootstrap(shares: Chances, rng: np.random.Generator) -> Interval:
    """The percentile bootstrap over problems of either, to compare with."""
    values = shares[:, -1] - (shares[:, 0] if shares.shape[1] > 1 else 0)
    means = rng.choice(values, (RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(low), float(high))


def _beta(a: float, b: float) -> Kind:
    return Kind(f"beta({a:g}, {b:g})", lambda rng, count: rng.beta(a, b, (count, 1)), a / (a + b))


def _mixture(name: str, parts: Sequence[tuple[float, float]]) -> Kind:
    """Of (weight, chance)."""
    weights, chances = np.array(parts).T
    return Kind(
        name,
        lambda rng, count: rng.choice(chances, (count, 1), p=weights),
        float(weights @ chances),
        bool(np.isin(chances, (0, 1)).all()),
    )


def _pairs(name: str, parts: Sequence[tuple[float, float, float]]) -> Kind:
    """Of (weight, the first's chance, the second's chance)."""
    rows = np.array(parts)
    weights, chances = rows[:, 0], rows[:, 1:]
    truth = float(weights @ (chances[:, 1] - chances[:, 0]))
    return Kind(name, lambda rng, count: chances[rng.choice(len(rows), count, p=weights)], truth)


def _twice(kind: Kind) -> Kind:
    return Kind(f"both {kind.name}", lambda rng, count: np.repeat(kind.draw(rng, count), 2, axis=1), 0.0)


def _each(name: str, first: Kind, second: Kind) -> Kind:
    return Kind(
        name,
        lambda rng, count: np.hstack((first.draw(rng, count), second.draw(rng, count))),
        second.truth - first.truth,
    )


MEANS = (
    *(_beta(a, b) for a, b in ((1, 1), (0.3, 0.3), (5, 5), (2, 8), (8, 2), (0.5, 4), (4, 0.5), (1, 19), (19, 1))),
    *(_mixture(f"all {chance:g}", [(1, chance)]) for chance in (0.05, 0.5, 0.9, 0.97)),
    _mixture("90 % 1, 10 % 0.5", [(0.9, 1), (0.1, 0.5)]),
    _mixture("95 % 1, 5 % 0.5", [(0.95, 1), (0.05, 0.5)]),
    _mixture("90 % 0, 10 % 0.5", [(0.9, 0), (0.1, 0.5)]),
    _mixture("70 % 0.95, 30 % 0.1", [(0.7, 0.95), (0.3, 0.1)]),
    _mixture("half 0, half 1", [(0.5, 0), (0.5, 1)]),
    _mixture("80 % 1, 20 % 0", [(0.8, 1), (0.2, 0)]),
    _mixture("95 % 1, 5 % 0", [(0.95, 1), (0.05, 0)]),
)

DIFFERENCES = (
    *(_twice(kind) for kind in (_beta(1, 1), _beta(0.3, 0.3), _beta(19, 1), _mixture("all 0.5", [(1, 0.5)]))),
    _each("beta(2, 2), then beta(4, 2)", _beta(2, 2), _beta(4, 2)),
    _each("beta(1, 9), then beta(9, 1)", _beta(1, 9), _beta(9, 1)),
    _pairs("5 % better, the rest tie", [(0.5, 1, 1), (0.45, 0, 0), (0.05, 0, 1)]),
    _pairs("10 % better, the rest tie", [(0.5, 1, 1), (0.4, 0, 0), (0.1, 0, 1)]),
    _pairs("20 % better, 10 % worse", [(0.4, 1, 1), (0.3, 0, 0), (0.2, 0, 1), (0.1, 1, 0)]),
    _pairs("5 % better, 5 % worse", [(0.9, 1, 1), (0.05, 0, 1), (0.05, 1, 0)]),
    _pairs("half from 0.5 to 1", [(0.5, 1, 1), (0.5, 0.5, 1)]),
    _pairs("all from 0.02 to 0.98", [(1, 0.02, 0.98)]),
    _pairs("all from 0.3 to 0.5", [(1, 0.3, 0.5)]),
    _pairs("90 % from 0 to 1", [(0.9, 0, 1), (0.1, 0, 0)]),
)


def as_markdown(kinds: Sequence[Kind], method: Method, *, runs: int, seed: int) -> str:
    """The table of one method's coverage beside the bootstrap's: for every kind the lowest of its cells."""
    rng = np.random.default_rng(seed)
    lines = [
        "| chances | several samples: lowest | problems x samples | width | bootstrap: lowest | one sample: lowest |"
    ]
    lines.append("|---|---|---|---|---|---|")
    for kind in kinds:

        def cells(each: Method, samples: Sequence[int], count: int, kind: Kind = kind) -> dict[str, Coverage]:
            return {
                f"{p} x {s}": coverage(kind, each, problems=p, samples=s, runs=count, seed=seed)
                for p in PROBLEMS
                for s in samples
            }

        several = cells(method, SAMPLES[1:], runs)
        cell, worst = min(several.items(), key=lambda item: item[1].share)
        lowest = (
            min(each.share for each in found.values())
            for found in (
                cells(partial(bootstrap, rng=rng), SAMPLES[1:], max(100, runs // 10)),
                cells(method, SAMPLES[:1], runs),
            )
        )
        lines.append(
            f"| {kind.name} | {100 * worst.share:.1f} % | {cell} | {100 * worst.width:.1f} | "
            + " | ".join(f"{100 * share:.0f} %" for share in lowest)
            + " |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m experiments.intervals", description=__doc__)
    parser.add_argument("--runs", type=int, default=4000, help="evaluations drawn for each cell (4000)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for title, kinds, method in (("Accuracy", MEANS, of_mean), ("Paired difference", DIFFERENCES, of_difference)):
        print(f"{title}, 95 % intervals, {options.runs:,} evaluations a cell; widths in points\n")
        print(as_markdown(kinds, method, runs=options.runs, seed=options.seed), end="\n\n")


if __name__ == "__main__":
    main()
