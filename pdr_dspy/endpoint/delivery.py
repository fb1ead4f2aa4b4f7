"""Whether a request that failed may have made the model generate: what can't be ruled out is paid for.

Ruled out it is where not a byte of the request was sent (no connection, no such host, no TLS), and where the answer is
a status by which a server refuses a request that it has not begun. Everything else may come after the last token: a 500
of an engine that died, a 502 or 504 of a proxy that stopped waiting, a 503 of one whose upstream went away, a 408 or
499 of one that gave up, a connection that broke, a 200 that can't be read. Pure, but for the errors' types.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

REFUSALS = frozenset(
    {
        301, 307, 308,  # ask elsewhere (302 and 303 may be said of a request that was done)
        400, 401, 402, 403, 404, 405, 407, 410, 411, 413, 414, 415, 417, 421, 422, 425, 426, 428, 429, 431, 451,
        501, 505,
    }
)  # fmt: skip
"""HTTP statuses of requests that no model has begun to answer."""


class Unsent(httpx.TransportError):
    """No connection was made, so nothing of the request was sent."""


class Broken(httpx.TransportError):
    """The connection broke while a request was on its way, being answered, or being read."""


@contextmanager
def sent_once() -> Iterator[None]:
    """What is done inside is one request's; its failure is an `Unsent`, a `Broken` or a timeout.

    LiteLLM takes every reset connection for one that was never made, and sends the request again by itself: twice
    generated, once known of. These two errors it leaves alone.
    """
    try:
        yield
    except httpx.TransportError as error:
        if _came_before(error.__cause__):
            raise Unsent(str(error)) from error
        if isinstance(error, httpx.TimeoutException):
            raise
        raise Broken(str(error)) from error


def _came_before(cause: BaseException | None) -> bool:
    import aiohttp  # LiteLLM's: here, not at the top, so that `--help` does not wait for it

    before = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
    return isinstance(cause, before)
