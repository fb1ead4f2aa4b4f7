"""What one worker of several does before and after its search: says who is there, and finds out who reports."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress

from optuna.exceptions import StorageInternalError

from optimize.engine import loop
from optimize.engine.off_loop import StorageAway, off_loop
from optimize.engine.tracking import Tracking
from optimize.study.state import StateDir
from optimize.study.workers import PLACE, Turn, Workers
from pdr_dspy.tracking import Status


def meet(workers: Workers, state: StateDir) -> None:
    """Say who is there."""
    if state.identity not in workers.facts(PLACE):
        workers.state(PLACE, state.identity)
    others = workers.others
    say(f"worker {workers.owner}" + (f", with {', '.join(others)}" if others else ", the only one so far"))


def scattered(workers: Workers) -> bool:
    """Whether workers of the study have other directories, and so completions and a spend of their own."""
    return len(set(workers.facts(PLACE))) > 1


async def await_turn(
    workers: Workers, complete: Callable[[], int], stop: asyncio.Event, *, patient: bool
) -> Turn | None:
    """Leave the search, and find out whose turn to report it is; None if `stop` was set before that was known.

    Args:
        workers: The workers.
        complete: How many trials are complete.
        stop: Ends the waiting.
        patient: Wait until no other worker is there or reports, and not only say so.
    """
    said = ""
    while True:
        try:
            turn = await off_loop(lambda: _turn(workers, complete), stop)
        except StorageAway:
            return None
        if turn.whose != "theirs" or not patient:
            return turn
        if turn.who != said:
            say(f"nothing is left to search; waiting: {turn.who}")
            said = turn.who
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), loop.LOOK)
            return None


def _turn(workers: Workers, complete: Callable[[], int]) -> Turn:
    workers.leave()
    return workers.turn(complete)


def elsewhere(turn: Turn, complete: int) -> str:
    """What a worker says that does not report."""
    if turn.whose == "done":
        return f"reported by another worker: {turn.who}"
    return (
        f"this worker is done after {complete} trials of all workers: {turn.who}. The last one reports; should it die, "
        "the same command reports"
    )


def end_tracking(workers: Workers | None, tracking: Tracking, status: Status) -> None:
    """End the study's run, unless other workers are at it.

    Raises:
        StorageInternalError: nobody can say whether they are; this worker's part is tracked.
    """
    try:
        if workers is not None:
            workers.leave()
        others = workers is not None and bool(workers.others)
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
