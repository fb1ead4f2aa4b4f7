"""A time by which a request is over, head and body: every read and write of its connection keeps to it.

A client's own time limits are between two pieces, so that a server which sends a line of its head now and then, or
`100 Continue` for ever, is waited for without end.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

_END: ContextVar[float | None] = ContextVar("pdr_dspy_side_deadline", default=None)
"""When the request that is made here has to be over, on the monotonic clock."""


@contextmanager
def over_within(seconds: float) -> Iterator[None]:
    """Within it, what goes through a `timed` transport is over after so many seconds.

    Raises:
        httpx.ReadTimeout, httpx.WriteTimeout: it was not (by the transport).
    """
    token = _END.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _END.reset(token)


def timed(transport: httpx.HTTPTransport) -> httpx.HTTPTransport:
    """The transport, its connections keeping to the deadline."""
    pool = transport._pool  # httpx has no other way to give it a network
    pool._network_backend = _Network(pool._network_backend)
    return transport


def _left(limit: float | None, late: type[Exception]) -> float | None:
    end = _END.get()
    if end is None:
        return limit
    left = end - time.monotonic()
    if left <= 0:
        raise late("the time for the whole answer has passed")
    return left if limit is None else min(limit, left)


class _Network(httpcore.NetworkBackend):
    """A network whose connections keep to the deadline."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        limit = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, limit, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A connection that keeps to the deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, limit))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
