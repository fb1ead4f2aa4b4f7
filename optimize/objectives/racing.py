"""Racing: when a workflow may be given up before it has seen every problem.

A workflow sees the search's problems in growing rungs, every workflow the same ones in the same order. After each rung
but the last it is compared, problem by problem, with one workflow that has seen them all: of those that surely cost no
more (in seconds, in tokens, in whatever is weighed), the most accurate. It is given up when that one is surely more
accurate too. "Surely" is a Bayesian bootstrap
over the problems (Rubin 1981, Ann. Stat. 9:130) with one more problem made up in the workflow's favour. For right and
wrong answers that is exactly the one-sided sign test on the problems where the two differ (McNemar's), so it holds for
eight problems as for a thousand; ties are never a reason to stop.

The chance to give up a workflow that is truly not dominated by its rival is at most `ERROR` over all rungs: each
rung gets an equal part of it, shared evenly by the accuracy and the costs. What is given up is on no front, and what
is on the front has seen every problem. Pure: knows nothing of Optuna, of calls, of workflows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ERROR = 0.05
FIRST_RUNG = 8
RESAMPLES = 4000

Middle = Literal["median", "mean"]
Array = NDArray[np.float64]
Values = tuple[float | None, ...]


@dataclass(frozen=True)
class Scores:
    """What a workflow did on the search's first problems, in their order.

    Attributes:
        accuracy: Share of a problem's samples that are right (0 to 1).
        costs: For each cost that is weighed, every problem's; None where no call was made.
    """

    accuracy: tuple[float, ...]
    costs: tuple[Values, ...]

    def __post_init__(self) -> None:
        if not self.costs or any(len(values) != len(self.accuracy) for values in self.costs):
            raise ValueError("an accuracy and every cost for every problem")

    def __len__(self) -> int:
        return len(self.accuracy)

    def first(self, count: int) -> Scores:
        """Those of the first problems."""
        return Scores(self.accuracy[:count], tuple(values[:count] for values in self.costs))


@dataclass(frozen=True)
class Beaten:
    """Why a workflow was given up.

    Attributes:
        by: Number of the trial that dominates it.
        seen: Problems both were compared on.
        ahead, behind: Of these, where the other is more, and less, accurate.
        doubt: Probability (bootstrap) that the other is not more accurate.
    """

    by: int
    seen: int
    ahead: int
    behind: int
    doubt: float

    def __str__(self) -> str:
        return (
            f"dominated by t{self.by} after {self.seen} problems "
            f"(better on {self.ahead}, worse on {self.behind}, and no dearer)"
        )


def rungs(problems: int, first: int = FIRST_RUNG) -> tuple[int, ...]:
    """How many problems a workflow has seen at each look: doubling up to all of them."""
    found = [problems]
    while found[0] >= 2 * first:
        found.insert(0, -(-found[0] // 2))
    return tuple(found)


def beaten(
    scores: Scores,
    rivals: Mapping[int, Scores],
    *,
    middles: Sequence[Middle],
    looks: int,
    error: float = ERROR,
    seed: int = 0,
) -> Beaten | None:
    """Whether a workflow is dominated by one of its rivals beyond reasonable doubt.

    Args:
        scores: Of the workflow, on the first problems.
        rivals: Of workflows that have seen all problems, by trial number.
        middles: What a workflow's cost is of its problems' costs, for each cost.
        looks: How many such decisions are made about one workflow at most.
        error: Chance of giving up a workflow wrongly, over all looks.
        seed: Of the resampling.
    """
    most = error / looks / (1 + len(middles))
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(scores) + 1), RESAMPLES)
    mine = [_resampled(v, weights, m, favoured=True) for v, m in zip(scores.costs, middles, strict=True)]

    def surely_no_dearer(rival: Scores) -> bool:
        for values, own, middle in zip(rival.first(len(scores)).costs, mine, middles, strict=True):
            theirs = _resampled(values, weights, middle, favoured=False)
            if own is None or theirs is None or float(np.mean(theirs > own)) > most:
                return False
        return True

    no_dearer = [number for number, rival in rivals.items() if surely_no_dearer(rival)]
    if not no_dearer:
        return None
    by = max(no_dearer, key=lambda n: (fmean(rivals[n].accuracy), [-c for c in _plain(rivals[n], middles)], -n))
    lead = np.array([b - a for a, b in zip(scores.accuracy, rivals[by].accuracy, strict=False)])
    doubt = float(np.mean(weights @ np.append(lead, -1.0) <= 0))
    if doubt > most:
        return None
    return Beaten(by, len(scores), int((lead > 0).sum()), int((lead < 0).sum()), doubt)


def _plain(scores: Scores, middles: Sequence[Middle]) -> list[float]:
    known = ([value for value in values if value is not None] for values in scores.costs)
    return [median(values) if m == "median" else fmean(values) for values, m in zip(known, middles, strict=True)]


def _resampled(problems: Values, weights: Array, middle: Middle, *, favoured: bool) -> Array | None:
    """The cost in each resample; on the made-up problem the favoured workflow is at its cheapest, others dearest."""
    known = np.array([value is not None for value in problems])
    if not known.any():
        return None
    values = np.array([value for value in problems if value is not None], dtype=np.float64)
    values = np.append(values, values.min() if favoured else values.max())
    shares = weights[:, np.append(known, True)]
    if middle == "mean":
        means: Array = shares @ values / shares.sum(axis=1)
        return means
    order = np.argsort(values, kind="stable")
    heights = np.cumsum(shares[:, order], axis=1)
    places = (heights >= heights[:, -1:] / 2).argmax(axis=1)
    medians: Array = values[order][places]
    return medians
