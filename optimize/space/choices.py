"""The usual choices of every dimension; those in tokens scale with the budget and the context. Pure."""

from __future__ import annotations

from fractions import Fraction

from optimize.space.shapes import WHOLE
from pdr_dspy.prompts import REASONER
from pdr_dspy.workflow import Format
from pdr_dspy.workflow.plan import LEAST

TOPOLOGIES = (
    "1",
    "1-1-1-1",
    "4-1",
    "8-1",
    "16-1",
    "4-4-1",
    "8-4-1",
    "16-4-1",
    "16-8-4-1",
    "4-vote",
    "8-vote",
    "8-pick",
    "8-8-vote",
)
KS = (1, 2, 4)
FORMATS: tuple[Format, ...] = ("plain", "json")
"""Formats of the prompts of a model whose card recommends none."""
USUAL_PROMPTS = ("default", REASONER)
"""Ids of the instructions that need not be named: those that a search begins with."""
_PARTS = tuple(Fraction(m, 2**e) for m, e in ((3, 2), (1, 1), (3, 3), (1, 2), (3, 4), (1, 3), (1, 4), (1, 5), (1, 6)))
"""Caps, as parts of what a single call may generate: 3/4, 1/2, 3/8, 1/4, 3/16, 1/8, 1/16, 1/32, 1/64."""
TEMPERATURES = (0.4, 0.6, 0.8, 1.0)
_LADDER = tuple(m * 2**e for e in range(2, 20) for m in (4, 6))
"""Round numbers a factor of about 1.4 apart: 16, 24, 32, 48, 64, ..."""


def kappas(tokens: int, context: int | None) -> tuple[int, ...]:
    """Workspace bounds worth trying, in tokens.

    A workspace must be small beside what the problem's calls may generate, and beside the half of the context that the
    prompt and the drafts leave: between a fiftieth and an eighth of the smaller of the two.
    """
    usable = tokens if context is None else min(tokens, context // 2)
    found = [rung for rung in _LADDER if usable / 50 <= rung <= usable / 8]
    return tuple(found[:6]) or (_LADDER[0],)


def caps(tokens: int, context: int | None) -> tuple[int, ...]:
    """What a draft may generate, in tokens (thinking and answer): `WHOLE`, then parts of it, largest first."""
    usable = tokens if context is None else min(tokens, context)
    found = (int(part * usable) for part in _PARTS)
    return (WHOLE, *(cap for cap in found if cap >= LEAST))


def usual_formats(recommended: Format | None) -> tuple[Format, ...]:
    """Formats that a search chooses from where nobody says: what the model's card recommends, else the usual."""
    return FORMATS if recommended is None else (recommended,)
