"""What stands in for DSPy's stream in the library's own loop (see `streaming`)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from dspy.streaming.messages import StatusMessage

_LOOK = 1.0
"""Seconds between two looks whether anybody still reads a stream in which nothing happens."""

_SOON = 20
"""Looks at once, for a reader that only waits for its turn."""

_POLL = 0.005
"""Seconds between two looks whether a reader has taken what was sent; the stream says it to no one."""


class Relay:
    """Takes what a run sends to DSPy's stream, and passes it on in the stream's own loop.

    Args:
        stream: DSPy's stream.
        owner: The loop of its reader.
    """

    def __init__(self, stream: Any, owner: asyncio.AbstractEventLoop) -> None:
        self._stream = stream
        self._owner = owner
        self._items: deque[Any] = deque()
        self._ended = False
        self._news = asyncio.Event()
        self.passing = asyncio.run_coroutine_threadsafe(self._pass(), owner)
        """Ends when all has been read behind `close`, or with False as soon as nobody reads any more."""

    async def send(self, item: Any) -> None:
        """As DSPy's stream takes it; from any loop, and never waits."""
        self.put(item)

    def put(self, item: Any) -> None:
        """As `send`, for those in no loop."""
        self._items.append(item)
        self._wake()

    def close(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._owner.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop is closed: its reader is gone
            self._items.clear()

    async def _pass(self) -> bool:
        while True:
            self._news.clear()
            while self._items:
                if not await self._sent(self._items.popleft()):
                    return False
            if self._ended and not self._items:
                return True
            try:
                await asyncio.wait_for(self._news.wait(), _LOOK)
            except TimeoutError:
                if not self._read():
                    return False

    async def _sent(self, item: Any) -> bool:
        """Send an item and wait until it is taken. False: nobody reads any more."""
        import anyio

        try:
            await self._stream.send(item)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return False
        # One at a time: DSPy's own messages block this loop when they find the stream full.
        looks = 0
        while self._stream.statistics().current_buffer_used:
            if not self._read():
                return False
            looks += 1
            await asyncio.sleep(0 if looks < _SOON else _POLL)
        return True

    def _read(self) -> bool:
        return bool(self._stream.statistics().open_receive_streams)


class Statuses:
    """A relay that passes status messages alone on: for calls whose text nobody listens to."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def send(self, item: Any) -> None:
        """Pass a status message on; drop anything else."""
        if isinstance(item, StatusMessage):
            self._relay.put(item)
