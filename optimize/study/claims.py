"""Whose trial it is, where several workers ask at once and no lock is held. Pure: all that counts is in the trials.

A worker (1) writes its trial's point, (2) goes back if an equal trial has started, (3) writes that its own has started,
(4) goes back if it now sees an equal trial of a lower number, or no place left, and (5) writes that its trial is taken.
Of two with one point at least one goes back: where the higher one does not see the lower one's point at (4), that was
written later, so that the lower one sees at (2) that the higher one has started.

A suggestion of the sampler's goes back for good: nobody is owed its point. What was in the queue (what a search begins
with, what was lost) is asked for again, unless an equal one is complete or taken: one that has only started may itself
go back at (4), and for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from optimize.study.stale_trials import KEY as KEY
from optimize.study.stale_trials import lost, queued

STARTED = "started"
TAKEN = "taken"
DUPLICATE_OF = "duplicate_of"

Verdict = Literal["take", "never", "later"]
"""Measure it; leave it for good; leave it and ask for it again."""


def evaluated(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials that were evaluated to the end (copies of others left out)."""
    return [t for t in trials if t.state == TrialState.COMPLETE and DUPLICATE_OF not in t.user_attrs]


def owed(attrs: Mapping[str, Any], equal: Sequence[FrozenTrial]) -> bool:
    """Whether a trial that goes back because equal ones have started must be asked for again.

    Args:
        attrs: Its user attributes.
        equal: The trials with its point that are running.
    """
    return queued(attrs) and not any(TAKEN in t.user_attrs for t in equal)


def verdict(number: int, attrs: Mapping[str, Any], trials: Sequence[FrozenTrial], most: int) -> Verdict:
    """What to do with a trial that was just said to have started.

    Args:
        number: Its number.
        attrs: Its user attributes.
        trials: All trials as they are now.
        most: How many evaluated trials the study shall have.
    """
    others = [t for t in trials if t.number != number]
    running = [t for t in others if t.state == TrialState.RUNNING]
    equal = [t for t in others if t.user_attrs.get(KEY) == attrs[KEY]]
    if any(t.state == TrialState.COMPLETE for t in equal):
        return "never"
    alike = [t for t in equal if t.state == TrialState.RUNNING]
    if any(t.number < number for t in alike):
        return "later" if owed(attrs, alike) else "never"
    # A suggestion's number says when it was asked for, so the first ones have the places that are left. All of them
    # make way for what is to be measured again, whatever its number; that makes way for who has started.
    own = queued(attrs)
    if own:
        ahead = sum(STARTED in t.user_attrs or (queued(t.user_attrs) and t.number < number) for t in running)
    else:
        ahead = sum(t.number < number or queued(t.user_attrs) for t in running)
        ahead += sum(t.state == TrialState.WAITING for t in others) + sum(1 for _ in lost(others))
    if len(evaluated(others)) + ahead >= most:
        return "later" if own else "never"
    return "take"
