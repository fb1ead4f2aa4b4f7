"""How much is read of what a server sends: a body has a size, an error has a beginning, nothing is unpacked blindly.

A server that never ends its answer, or one whose packed answer grows a thousandfold, costs a bounded memory and an
error that says so. How long is read is for others to say (`timeout` of an attempt), but for the side requests, which
have a deadline here.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from pdr_dspy import forking
from pdr_dspy.endpoint.chat_body import MalformedBody
from pdr_dspy.endpoint.deadline import over_within, timed
from pdr_dspy.endpoint.unpacking import Unpacking

MOST_OF_ERROR = 2**14
"""Bytes that are read of an error's body; the rest is not waited for."""

_LEAST, _MOST = 2**20, 2**29  # bytes of a chat completion, whatever was asked for
_A_TOKEN = 512  # bytes: its text in JSON's escapes, its id, its log-probability
_UNCAPPED = 2**16  # tokens
_SIDE = 2**24  # bytes of a list of models, or of the tokens of a text
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Redirected(Exception):
    """A server that wants to be asked at another address. The request, and the key in it, do not go there.

    Attributes:
        status: Its HTTP status.
        mend: What to do.
    """

    mend = "Write the address that it leads to, if you trust it: no request, and no key, follows a redirection"

    def __init__(self, status: int, location: str) -> None:
        self.status = status
        super().__init__(f"the server redirects to {_address(location)} (HTTP {status})")


def most_of(request: Mapping[str, Any]) -> int:
    """Bytes that the answer to a chat completion request may have."""
    cap, each = request.get("max_tokens"), request.get("top_logprobs")
    copies = request.get("n")
    tokens = (cap if isinstance(cap, int) and cap > 0 else _UNCAPPED) * (copies if isinstance(copies, int) else 1)
    if request.get("prompt_logprobs") is not None or tokens > _MOST:
        return _MOST
    return min(_MOST, _LEAST + _A_TOKEN * tokens * (1 + (each if isinstance(each, int) and each > 0 else 0)))


def not_redirected(response: httpx.Response) -> None:
    """Nothing, if the response is no redirection.

    Raises:
        Redirected: it is one.
    """
    if response.status_code in _REDIRECTS:
        raise Redirected(response.status_code, response.headers.get("location", ""))


async def body_of(response: httpx.Response, most: int) -> bytes:
    """A body, unpacked.

    Args:
        response: A response whose body was not read yet.
        most: Bytes it may have.

    Raises:
        MalformedBody: it has more, or is packed in a way that was not asked for.
    """
    body = _Body(response, most)
    async for chunk in _chunks(response):
        if not body.take(chunk):
            raise MalformedBody(f"the body is larger than {most:,} bytes")
    return bytes(body.read)


async def beginning_of(response: httpx.Response) -> bytes:
    """The first `MOST_OF_ERROR` bytes of an error's body, unpacked; nothing of one that can't be unpacked."""
    try:
        body = _Body(response, MOST_OF_ERROR)
        async for chunk in _chunks(response):
            if not body.take(chunk):
                break
    except MalformedBody:
        return b""
    return bytes(body.read)


class SideTransport(httpx.BaseTransport):
    """A transport whose answers are small and come within a time.

    Args:
        make: Makes the way to the server.
        seconds: From sending to the last byte.
    """

    def __init__(self, make: Callable[[], httpx.HTTPTransport], seconds: float) -> None:
        self._make = make
        self._inner = timed(make())
        self._seconds = seconds
        forking.in_child(self._in_child)

    def _in_child(self) -> None:
        forking.keep(self._inner)
        self._inner = timed(self._make())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, read.

        Raises:
            httpx.ReadError: it is larger than any such answer.
            httpx.ReadTimeout: it did not end in time, its head or its body.
        """
        request.headers["accept-encoding"] = "identity"
        with over_within(self._seconds):
            return self._answered(request)

    def _answered(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        try:
            body = _Body(response, _SIDE if response.status_code == httpx.codes.OK else MOST_OF_ERROR)
            for chunk in response.iter_raw():
                if not body.take(chunk):
                    if response.status_code != httpx.codes.OK:
                        break
                    raise httpx.ReadError(f"the body is larger than {_SIDE:,} bytes", request=request)
        except MalformedBody as error:
            raise httpx.ReadError(str(error), request=request) from None
        finally:
            response.close()
        return whole_response(response, bytes(body.read), request)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def whole_response(response: httpx.Response, content: bytes, request: httpx.Request) -> httpx.Response:
    """A response with a body that was read."""
    left_out = ("content-encoding", "content-length", "transfer-encoding")  # of the body as it came over the wire
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in left_out]
    return httpx.Response(response.status_code, headers=headers, content=content, request=request)


class _Body:
    """A body while it is read."""

    def __init__(self, response: httpx.Response, most: int) -> None:
        self.read = bytearray()
        self._most = most
        self._unpacking = Unpacking(response.headers.get("content-encoding", ""))

    def take(self, chunk: bytes) -> bool:
        """Take a chunk; False where there is more than may be."""
        left = self._most - len(self.read)
        chunk = self._unpacking.unpacked(chunk, left + 1)
        self.read += chunk[:left]
        return len(chunk) <= left


def _chunks(response: httpx.Response) -> AsyncIterable[bytes]:
    return response.aiter_raw(2**16)


def _address(location: str) -> str:
    """An address without credentials and query."""
    try:
        parts = urlsplit(location)
        host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
        return f"{host}{parts.path}"[:200] or "nowhere"
    except ValueError:
        return "an address that can't be read"
