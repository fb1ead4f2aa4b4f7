"""Runs the search on the library's loop while the main thread listens for Ctrl-C.

The first Ctrl-C (or SIGTERM) asks the work to stop and keep its state; the second one does not wait.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

from pdr_dspy import bridge

T = TypeVar("T")

_LOOK = 0.5  # seconds between two looks for a signal; only Windows needs them


def supervised(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    """Run `work(stop)` and return what it returns.

    Args:
        work: Ends soon after `stop` is set.

    Raises:
        KeyboardInterrupt: the second Ctrl-C.
    """
    stop = asyncio.Event()
    future = bridge.submit(work(stop))
    asked: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if asked:
            future.cancel()
            raise KeyboardInterrupt
        asked.append(number)
        print("stopping; what is done is kept (Ctrl-C again to stop at once)", file=sys.stderr, flush=True)
        bridge.loop().call_soon_threadsafe(stop.set)

    here = threading.current_thread() is threading.main_thread()
    before = {s: signal.signal(s, on_signal) for s in (signal.SIGINT, signal.SIGTERM)} if here else {}
    try:
        while True:
            try:
                return future.result(timeout=_LOOK)
            except TimeoutError:
                if future.done():
                    raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
