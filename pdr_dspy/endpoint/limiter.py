"""At most so many requests in flight, first come first served, and how many there were on average.

Lives on one event loop. Knows nothing of what it lets through.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pdr_dspy import forking


class Limiter:
    """A first-in-first-out gate with `load` places.

    Args:
        load: Places.
        clock: Seconds, monotonic.
    """

    def __init__(self, load: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.load = load
        self.in_flight = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._clock = clock
        self._since = clock()
        self._area = 0.0  # requests x seconds
        self._busy = 0.0  # seconds with at least one in flight
        forking.in_child(self._in_child)

    def _in_child(self) -> None:
        self.in_flight = 0  # what is in flight is the parent's
        self._queue.clear()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a place; waits its turn."""
        await self._enter()
        try:
            yield
        finally:
            self._leave()

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return len(self._queue)

    def usage(self) -> tuple[float, float]:
        """(request-seconds in flight, seconds with at least one in flight) so far; their ratio is the mean load."""
        now = self._clock()
        span = now - self._since
        return self._area + self.in_flight * span, self._busy + (span if self.in_flight else 0.0)

    async def _enter(self) -> None:
        if self.in_flight < self.load and not self._queue:
            self._change(1)
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn  # whoever leaves hands the place over, already counted
        except asyncio.CancelledError:
            if turn in self._queue:
                self._queue.remove(turn)
            elif not turn.cancelled():
                self._leave()  # cancelled between being handed the place and taking it
            raise

    def _leave(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():  # a done one was cancelled, and its task has not run since
                turn.set_result(None)
                return
        self._change(-1)

    def _change(self, by: int) -> None:
        self._area, self._busy = self.usage()
        self._since = self._clock()
        self.in_flight += by
