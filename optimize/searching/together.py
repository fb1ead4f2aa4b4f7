"""What one worker of several does before and after its search: says who is there, and finds out who reports."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress

from optuna.exceptions import StorageInternalError

from optimize.searching import loop
from optimize.searching.beside import Away, beside
from optimize.searching.track import Tracking
from optimize.studies.crew import PLACE, Crew, Turn
from optimize.studies.state import StateDir
from pdr_dspy.tracking import Status


def meet(crew: Crew, state: StateDir) -> None:
    """Say who is there."""
    if state.identity not in crew.facts(PLACE):
        crew.state(PLACE, state.identity)
    others = crew.others
    say(f"worker {crew.owner}" + (f", with {', '.join(others)}" if others else ", the only one so far"))


def scattered(crew: Crew) -> bool:
    """Whether workers of the study have other directories, and so completions and a spend of their own."""
    return len(set(crew.facts(PLACE))) > 1


async def await_turn(crew: Crew, complete: Callable[[], int], stop: asyncio.Event, *, patient: bool) -> Turn | None:
    """Leave the search, and find out whose turn to report it is; None if `stop` was set before that was known.

    Args:
        crew: The workers.
        complete: How many trials are complete.
        stop: Ends the waiting.
        patient: Wait until no other worker is there or reports, and not only say so.
    """
    said = ""
    while True:
        try:
            turn = await beside(lambda: _turn(crew, complete), stop)
        except Away:
            return None
        if turn.whose != "theirs" or not patient:
            return turn
        if turn.who != said:
            say(f"nothing is left to search; waiting: {turn.who}")
            said = turn.who
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), loop.LOOK)
            return None


def _turn(crew: Crew, complete: Callable[[], int]) -> Turn:
    crew.leave()
    return crew.turn(complete)


def elsewhere(turn: Turn, complete: int) -> str:
    """What a worker says that does not report."""
    if turn.whose == "done":
        return f"reported by another worker: {turn.who}"
    return (
        f"this worker is done after {complete} trials of all workers: {turn.who}. The last one reports; should it die, "
        "the same command reports"
    )


def end_tracking(crew: Crew | None, tracking: Tracking, status: Status) -> None:
    """End the study's run, unless other workers are at it.

    Raises:
        StorageInternalError: nobody can say whether they are; this worker's part is tracked.
    """
    try:
        if crew is not None:
            crew.leave()
        others = crew is not None and bool(crew.others)
    except StorageInternalError:
        tracking.leave()
        raise
    if others:
        tracking.leave()
    else:
        tracking.close(status)


def say(text: str) -> None:
    """A line for the person who waits."""
    print(text, file=sys.stderr, flush=True)
