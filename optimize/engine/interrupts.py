"""Runs the search on the library's loop while the main thread listens for Ctrl-C.

The first Ctrl-C (or SIGTERM, or the terminal's end) asks the work to stop and keep its state; a second Ctrl-C does not
wait (see `ending`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pdr_dspy import bridge
from pdr_dspy.command.signals import stopping, told_to_end

T = TypeVar("T")

_LOOK = 0.5  # seconds between two looks for a signal; only Windows needs them


def interruptible(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    """Run `work(stop)` and return what it returns.

    Args:
        work: Ends soon after `stop` is set.

    Raises:
        KeyboardInterrupt: the second Ctrl-C.
    """
    stop = asyncio.Event()
    future = bridge.submit(work(stop))

    def ask() -> None:
        bridge.loop().call_soon_threadsafe(stop.set)

    with told_to_end(stopping(ask)):
        try:
            while True:
                try:
                    return future.result(timeout=_LOOK)
                except TimeoutError:
                    if future.done():
                        raise
        except KeyboardInterrupt:
            future.cancel()
            raise
