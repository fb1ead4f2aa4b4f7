"""Moves: one step away from what is on the front, in one dimension, rather where it costs little.

A sampler that learns from scratch spends its first dozens of trials far from anything good, while what a search begins
with (baselines, plain PDR) is good already. So most suggestions are untried neighbours of front members: SMAC steps
through the same one-exchange neighbourhood (Hutter, Hoos, Leyton-Brown 2011, LION 5). Which one is drawn by lot, with
weights that fall with what the step has to generate: drafts of one cap, temperature, format and prompt are in the store
once they were drawn, so that a new distiller, kappa or smaller width costs next to nothing (improvement per cost as in
Snoek et al. 2012, NeurIPS 25, section 3.2, with the same hope for every step). Pure: no Optuna, no calls.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence

from optimize.space.shapes import Choice, Params, parse_topology
from optimize.space.space import Candidate, Fixed, Space
from pdr_dspy.errors import BudgetError, WorkflowError

ORDERED = ("k", "kappa", "cap", "temperature")
"""Dimensions whose choices have an order: a step goes to the next one up or down."""

Drafts = tuple[Choice | None, ...]
"""What makes the first drafts the same: their cap, temperature, format and prompt."""


def neighbours(space: Space, params: Params) -> Iterator[Candidate]:
    """What differs from a point in one dimension.

    A dimension that the new choice brings with it (the distiller of a second round) gets its first choice.
    """
    for name, choices in space.dimensions().items():
        if name not in params:
            continue
        at = choices.index(params[name])
        for i in (at - 1, at + 1) if name in ORDERED else range(len(choices)):
            if i != at and 0 <= i < len(choices):
                try:
                    yield space.suggest(Fixed({**params, name: choices[i]}))
                except (BudgetError, WorkflowError):  # does not fit the budget beside the rest
                    continue


def move(
    space: Space, members: Sequence[Params], tried: Mapping[str, Params], source: random.Random
) -> Candidate | None:
    """An untried neighbour of the members; None where all were tried.

    Args:
        space: What to choose from.
        members: The front's points.
        tried: All points that were tried, by their candidates' keys.
        source: Of the random choice.
    """
    new = {c.key: c for params in members for c in neighbours(space, params) if c.key not in tried}
    if not new:
        return None
    drawn = widths(tried.values())
    steps = list(new.values())
    return source.choices(steps, [fresh(step, drawn) ** -0.5 for step in steps])[0]


def widths(tried: Iterable[Params]) -> dict[Drafts, int]:
    """How many first drafts of each kind were drawn a problem."""
    drawn: dict[Drafts, int] = {}
    for params in tried:
        kind = _drafts(params)
        drawn[kind] = max(drawn.get(kind, 0), _width(params))
    return drawn


def fresh(step: Candidate, drawn: dict[Drafts, int]) -> int:
    """The most tokens a problem that a step has to generate, beside first drafts that were drawn before."""
    first = step.plan.steps[0]
    shared = min(first.width, drawn.get(_drafts(step.params), 0))
    return max(1, step.plan.total_tokens - shared * first.caps.total)


def _drafts(params: Params) -> Drafts:
    return tuple(params.get(name) for name in ("cap", "temperature", "format", "prompt_draft"))


def _width(params: Params) -> int:
    return parse_topology(str(params["topology"]))[0][0]
