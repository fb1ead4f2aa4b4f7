"""Asks a study in a database beside the event loop.

While the database is slow or away, what is in flight goes on, its seconds are its own, and the search can be stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from pdr_dspy import bridge

LEAVING = 5.0
"""Seconds that a study gets to answer once the search was stopped."""

T = TypeVar("T")


class StorageAway(Exception):
    """The search was stopped, and the study's storage does not answer."""


async def off_loop(work: Callable[[], T], stop: asyncio.Event) -> T:
    """What `work` returns, done in a thread.

    Args:
        work: Asks the study.
        stop: Whether the search was stopped; then it is not waited for for long.

    Raises:
        StorageAway: it was, and there is no answer.
    """
    answer = bridge.in_thread(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        waited: set[asyncio.Future[Any]] = {answer, stopping}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            await asyncio.wait({answer}, timeout=LEAVING)
    finally:
        stopping.cancel()
    if not answer.done():
        raise StorageAway
    return answer.result()
