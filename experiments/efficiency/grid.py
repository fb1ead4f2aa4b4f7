"""The grid: a small search space of which every point can be measured, so that the true front is known.

A cut of the space that `optimize/search.py` searches, with the same dimensions in the same order. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from optimize.space.shapes import STAGES, WHOLE, Choice
from optimize.space.space import Candidate, Space
from pdr_dspy.budget import Budget, parse_budget
from pdr_dspy.prompts import family

BUDGET = "tokens=16k"

GRID = {
    "topologies": ("1", "1-1-1-1", "4-1", "8-1", "16-1", "16-4-1", "4-vote", "8-vote"),
    "distillers": ("summary", "top"),
    "chain_distillers": ("previous",),
    "ks": (2,),
    "kappas": (96, 192),
    "caps": (WHOLE, 512, 384, 256),
    "temperatures": (0.6,),
}
BESIDE = {"draft": "brief", "refine": "checking"}
"""The instruction that is tried beside a stage's usual one."""


def grid_space(context: int | None, recommended: str | None) -> Space:
    """The grid as a search space.

    Args:
        context: The model's length in tokens.
        recommended: Which instructions its card recommends; None: those that are no model's own.
    """
    prompts = grid_prompts(recommended)
    return Space(budget=grid_budget(), context=context, prompts=prompts, **GRID)  # type: ignore[arg-type]


def grid_prompts(recommended: str | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Ids by stage: the usual one, and that of `BESIDE`."""
    return tuple((stage, _ids(stage, recommended)) for stage in STAGES)


def _ids(stage: str, recommended: str | None) -> tuple[str, ...]:
    usual, *others = family(stage, recommended)
    return (usual, *(i for i in others if stage in BESIDE and i in (BESIDE[stage], f"{recommended}-{BESIDE[stage]}")))


def grid_budget() -> Budget:
    """What one problem may cost."""
    return parse_budget(BUDGET)


@dataclass
class _Walk:
    """Answers every question as told, and those beyond with the first choice, remembering how many there were."""

    told: list[int]
    sizes: list[int] = field(default_factory=list)

    def suggest_categorical(self, name: str, choices: Sequence[Choice]) -> Choice:
        at = len(self.sizes)
        self.sizes.append(len(choices))
        if at == len(self.told):
            self.told.append(0)
        return choices[self.told[at]]


def points(space: Space) -> Iterator[Candidate]:
    """Every point of a space once; choices that mean the same calls are one point (the first)."""
    seen: set[str] = set()
    told: list[int] = []
    while True:
        walk = _Walk(told)
        candidate = space.suggest(walk)
        if candidate.key not in seen:
            seen.add(candidate.key)
            yield candidate
        told = walk.told[: len(walk.sizes)]
        while told and told[-1] == walk.sizes[len(told) - 1] - 1:
            told.pop()
        if not told:
            return
        told[-1] += 1
