"""Connections: how many there may be, and how long one may keep the server waiting.

Uvicorn times only a connection that has been answered. A client that sends half a head, or nothing, or a byte a
minute, or that does not read its answer would hold its connection for ever, and some thousand of them all there are.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .api_errors import ApiError

MOST_CONNECTIONS = 1024
REQUEST_SECONDS = 30.0
"""From a request's first byte (or the connection's start) to its last."""
READING_SECONDS = 60.0
"""How long a client may leave its answer unread."""

BACKLOG = 512
"""Connections that the kernel takes in before they are accepted; so many are accepted at once."""

# What the process opens besides, and connections that are there before others make room for them.
_OTHER_FILES = 64 + BACKLOG


def most_connections(asked: int = MOST_CONNECTIONS) -> int:
    """As many connections as were asked for, if the process may open so many files; its limit is raised for it."""
    try:
        import resource  # POSIX alone
    except ImportError:
        return asked
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = asked + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return min(asked, max(1, soft - _OTHER_FILES))
    return asked


def limited(most: int, request_seconds: float = REQUEST_SECONDS, reading_seconds: float = READING_SECONDS) -> type:
    """Uvicorn's HTTP/1.1 protocol with limits.

    Args:
        most: Connections at once. One more takes the place of the one that has been idle longest; where all are at
            work, it is closed.
        request_seconds: Most time for a request to come in whole.
        reading_seconds: Most time that an answer's bytes may wait for the client to read them.
    """

    class Limited(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._began = self.loop.time()
            self._coming: asyncio.TimerHandle | None = None
            self._unread: asyncio.TimerHandle | None = None

        @property
        def at_work(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch()
            if len(self.connections) <= most:
                return
            # Many may have been accepted before the first of them was made, and none that was dropped is gone yet.
            there = [c for c in self.connections if isinstance(c, Limited) and not c.transport.is_closing()]
            if len(there) > most:
                idle = [c for c in there if not c.at_work and c is not self]
                # Those that never asked anything go first.
                min(idle, key=lambda c: (c.cycle is not None, c._began), default=self).drop()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self._coming, self._unread):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._unread = self._unread or self.loop.call_later(reading_seconds, self.drop)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._unread is not None:
                self._unread.cancel()
                self._unread = None

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._began = self.loop.time()
            if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
                self._unset_keepalive_if_required()  # the next request has begun already
                self._watch()

        def send_400_response(self, msg: str) -> None:
            """The parser gave up: an error like every other, and the end of the connection."""
            body = json.dumps(ApiError(400, msg).body()).encode()
            headers = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            try:
                for event in (
                    h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                    h11.Data(data=body),
                    h11.EndOfMessage(),
                ):
                    self.transport.write(self.conn.send(event) or b"")
            except h11.LocalProtocolError:
                pass  # an answer to an earlier request was under way
            self.transport.close()

        def _watch(self) -> None:
            """Time what is awaited from the client; between requests uvicorn's own timer runs."""
            waiting = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
            if not waiting and self._coming is not None:
                self._coming.cancel()
                self._coming = None
            elif waiting and self._coming is None and self.timeout_keep_alive_task is None:
                self._coming = self.loop.call_later(request_seconds, self.drop)

        def drop(self) -> None:
            """End the connection at once."""
            # Not `close`, which waits until all that was written has been read.
            self.transport.abort()

    return Limited
