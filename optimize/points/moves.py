"""Moves: one step away from what is on the front, in one dimension.

A sampler that learns from scratch spends its first dozens of trials far from anything good, while what a search begins
with (baselines, plain PDR) is good already. So every other suggestion is a neighbour of a front member: of a random
member a random dimension, of that an untried choice. SMAC steps through the same one-exchange neighbourhood (Hutter,
Hoos, Leyton-Brown 2011, LION 5). Such steps are cheap as well: all dimensions but three (cap, temperature, the drafts'
prompt) leave the first drafts as they are, and those are in the store. Pure: no Optuna, no calls.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence

from optimize.points.shapes import Choice, Params
from optimize.points.space import Candidate, Fixed, Space
from pdr_dspy.errors import BudgetError, WorkflowError

ORDERED = ("k", "kappa", "cap", "temperature")
"""Dimensions whose choices have an order: a step goes to the next one up or down."""


def neighbours(space: Space, params: Params) -> dict[str, list[Candidate]]:
    """What differs from a point in one dimension, by that dimension.

    A dimension that the new choice brings with it (the distiller of a second round) gets its first choice.
    """
    found: dict[str, list[Candidate]] = {}
    for name, choices in space.dimensions().items():
        if name in params:
            found[name] = list(_steps(space, params, name, choices))
    return found


def move(space: Space, members: Sequence[Params], known: Collection[str], source: random.Random) -> Candidate | None:
    """An untried neighbour of a random member; None where all neighbours of all members were tried.

    Args:
        space: What to choose from.
        members: The front's points.
        known: Keys of the candidates that were tried.
        source: Of the random choices.
    """
    for params in source.sample(list(members), len(members)):
        new = {name: [c for c in there if c.key not in known] for name, there in neighbours(space, params).items()}
        dimensions = [name for name, there in new.items() if there]
        if dimensions:
            return source.choice(new[source.choice(dimensions)])
    return None


def _steps(space: Space, params: Params, name: str, choices: Sequence[Choice]) -> Iterator[Candidate]:
    at = choices.index(params[name])
    near = (at - 1, at + 1) if name in ORDERED else range(len(choices))
    for i in near:
        if i != at and 0 <= i < len(choices):
            try:
                yield space.suggest(Fixed({**params, name: choices[i]}))
            except (BudgetError, WorkflowError):  # does not fit the budget beside the rest
                continue
