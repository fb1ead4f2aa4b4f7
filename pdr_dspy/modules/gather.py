"""Calls in parallel: each failure stays one failure, and stragglers can be cut once enough have come."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from pdr_dspy.errors import CallError, CutOff

T = TypeVar("T")


async def gather(
    work: Sequence[Coroutine[Any, Any, T]], quorum: int | None = None, came: dict[int, T | CallError] | None = None
) -> list[T | CallError]:
    """Run all of `work` at once; results in its order, a `CallError` in the place of each that failed.

    Args:
        work: The calls.
        quorum: Cut off what is still running when so many have succeeded (`first 6 of 8`); None waits for all.
        came: Gets what came, by its place in `work`. Whoever is cancelled while it waits here finds in it what had
            come until then.

    Raises:
        Exception: whatever is not a `CallError` ends all of them and is raised (a refused key, a bug).
    """
    tasks: list[asyncio.Future[T]] = [asyncio.ensure_future(w) for w in work]
    waiting = set(tasks)
    succeeded = 0
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            # All of them are looked at first: asyncio complains about an exception nobody has seen.
            for error in [task.exception() for task in done]:
                if error is None:
                    succeeded += 1
                elif not isinstance(error, CallError):
                    raise error
            if quorum is not None and succeeded >= quorum:
                break
    finally:
        for task in waiting:
            task.cancel()
        if waiting:
            await asyncio.gather(*waiting, return_exceptions=True)
        if came is not None:
            came.update(_came(tasks))
    results: list[T | CallError] = []
    for task in tasks:
        failure = _failure(task)
        results.append(task.result() if failure is None else failure)
    return results


def _came(tasks: Sequence[asyncio.Future[Any]]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for place, task in enumerate(tasks):
        if task.cancelled():
            continue
        error = task.exception()
        if error is None:
            found[place] = task.result()
        elif isinstance(error, CallError):
            found[place] = error
    return found


def _failure(task: asyncio.Future[Any]) -> CallError | None:
    if task.cancelled():
        return CutOff("the round's quorum had come")
    error = task.exception()
    if error is None or isinstance(error, CallError):
        return error
    # A straggler that was cancelled may end in any way; what it ended in is not its fault.
    return CutOff("the round's quorum had come")
