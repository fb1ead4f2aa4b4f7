"""How many calls and tokens workflows take at most, by their plans. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optimize.space.space import Candidate


@dataclass(frozen=True)
class Estimate:
    """What a number of workflows takes on a number of problems: calls, and generated tokens at most."""

    calls: float
    tokens: float


def estimate(candidates: Sequence[Candidate], runs: int) -> Estimate:
    """The sum over candidates of `runs` solved problems each."""
    return Estimate(runs * sum(c.plan.calls for c in candidates), runs * sum(c.plan.total_tokens for c in candidates))
