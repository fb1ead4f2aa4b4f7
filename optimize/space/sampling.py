"""Where suggestions come from: steps from the front, and every fourth time Optuna's TPE.

A sampler is made anew for every suggestion, by a seed that says how many there were: what a resumed search suggests
does not depend on where it was stopped.
"""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.samplers import BaseSampler, PartialFixedSampler, TPESampler

from optimize.space.moves import move
from optimize.space.shapes import Params
from optimize.space.space import Space


def sampler_seed(seed: int, stored: int, worker: str = "") -> int:
    """A seed that differs for every number of stored trials, and for every worker of several."""
    text = f"{seed}/{stored}/{worker}" if worker else f"{seed}/{stored}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


@dataclass(frozen=True)
class Sampling:
    """How suggestions are made.

    Attributes:
        startup: Trials before TPE has something to learn from; until then it draws at random.
        moves: Share of the suggestions that are one step from the front (`optimize.space.moves`).
    """

    startup: int = 8
    moves: float = 0.75

    def sampler(self, space: Space, members: Sequence[Params], tried: Mapping[str, Params], seed: int) -> BaseSampler:
        """The sampler of one suggestion.

        Running trials count as bad ones in what TPE learns from (its constant liar, Optuna's default), so that several
        trials at once do not crowd at one place.

        Args:
            space: What to choose from.
            members: The front's points.
            tried: The points that were tried, or are being tried, by their candidates' keys.
            seed: Of this suggestion.
        """
        model = TPESampler(seed=seed, multivariate=True, n_startup_trials=self.startup)
        source = random.Random(seed)
        moved = move(space, members, tried, source) if source.random() < self.moves else None
        if moved is None:
            return model
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return PartialFixedSampler(moved.params, model)
