"""Makes the space of a budget and a model: the usual choices, without topologies that can't fit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optimize.space.choices import TOPOLOGIES, caps, kappas
from optimize.space.shapes import STAGES, WHOLE, Params, parse_topology
from optimize.space.space import Space
from pdr_dspy.budget import Budget
from pdr_dspy.errors import BudgetError, WorkflowError
from pdr_dspy.prompts import family
from pdr_dspy.workflow import Format


def make_space(
    budget: Budget,
    context: int | None,
    *,
    topologies: Sequence[str] | None = None,
    recommended: str | None = None,
    formats: Sequence[Format] = (),
) -> Space:
    """The space for a budget and a model, without the topologies that can't fit.

    Args:
        budget: What one problem may cost; needs a `tokens` part, for that is what is shared out.
        context: The model's length in tokens, where known.
        topologies: Labels to choose from instead of the usual ones.
        recommended: Which instructions the model's card recommends: those are chosen from. None: those that are no
            model's own.
        formats: Formats of the prompts to choose from, the one to begin with first.

    Raises:
        BudgetError: no `tokens` in the budget, or too few for a single call.
        InputError: a topology that is none.
    """
    if budget.tokens is None:
        raise BudgetError(
            "budget.tokens", "the search shares out a tokens budget, and there is none", "Write it like tokens=16k"
        )
    wanted = tuple(dict.fromkeys(label.strip() for label in (topologies or TOPOLOGIES)))
    for label in wanted:
        parse_topology(label)
    space = Space(
        budget=budget,
        context=context,
        topologies=wanted,
        kappas=kappas(budget.tokens, context),
        caps=caps(min(budget.tokens, budget.total or budget.tokens), context),
        prompts=tuple((stage, family(stage, recommended)) for stage in STAGES),
        formats=tuple(formats),
    )
    fitting = tuple(label for label in wanted if _fits(space, label))
    if not fitting:
        space.candidate({"topology": wanted[0], **_cheapest(space, wanted[0])[0]})  # raises, and says what is missing
    return replace(space, topologies=fitting)


def _cheapest(space: Space, label: str) -> list[Params]:
    widths, _ = parse_topology(label)
    base: Params = {"cap": WHOLE, "kappa": space.kappas[0], "temperature": 1.0}
    if len(widths) == 1:
        return [base]
    name, kinds = ("chain_distiller", space.chain_distillers) if max(widths) == 1 else ("distiller", space.distillers)
    return [{**base, name: kind, "k": max(space.ks)} for kind in kinds]


def _fits(space: Space, label: str) -> bool:
    try:
        for params in _cheapest(space, label):
            space.candidate({"topology": label, **params})
    except (BudgetError, WorkflowError):
        return False
    return True
