"""Thinking for a helper call that was planned without: as much as the path has left over. Pure.

A model that thinks whatever it is told is sometimes found out in the middle of a run. What the calls until then have
not used of their caps is what its helpers may think with, so that the plan stays an upper bound of the path.
"""

from __future__ import annotations

from collections.abc import Sequence

from pdr_dspy.ledger import CallRecord, meters
from pdr_dspy.workflow import Caps, Plan, PlannedStep
from pdr_dspy.workflow.plan import HELPER_THINKING


def left_over(plan: Plan, place: int, records: Sequence[CallRecord]) -> int:
    """Tokens of the plan's path that neither earlier steps have used nor this one and later ones are planned to use.

    Args:
        plan: The run's plan.
        place: The step.
        records: The run's records so far. A call that was asked once more is a step of its own, numbered from the end
            of the plan on.
    """
    before = [r for r in records if r.step % len(plan.steps) < place]
    return plan.path_tokens - meters(before).seq_generated - plan.tokens_after(place - 1)


def with_thinking(step: PlannedStep, room: int) -> Caps:
    """The caps of a helper call that thinks, where the path has so much room for its thinking."""
    return Caps(max(0, min(HELPER_THINKING, room)), step.caps.answer)


def once_more(step: PlannedStep, room: int) -> Caps | None:
    """The caps of a helper call that is asked a second time, where the path has so much room for all of it."""
    return None if room < step.caps.answer else with_thinking(step, room - step.caps.answer)
