"""One caller of a key at a time, so that the same call made twice at once is paid for once.

A lock for each key, not a shared task: cancelling one caller never cancels another. Lives on one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pdr_dspy import forking


@dataclass
class _Flight:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    callers: int = 0


class Flights:
    """The keys that somebody holds or waits for."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}
        forking.in_child(self._in_child)

    def _in_child(self) -> None:
        self._flights = {}

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[None]:
        """Hold the key; waits until nobody else does."""
        flight = self._flights.setdefault(key, _Flight())
        flight.callers += 1
        try:
            async with flight.lock:
                yield
        finally:
            flight.callers -= 1
            if not flight.callers:
                del self._flights[key]

    def __len__(self) -> int:
        return len(self._flights)
