"""Who may ask the server, decided on a request's head before any of its body is read.

A page in a browser on this machine can send requests to a loopback address, and a name that its owner points there
makes it the page's own origin (DNS rebinding). So a request must say a `Host` that is this server's, an `Origin` must
be one of those, too, and a body must say that it is JSON, which a page can't send to another origin without asking.
Other users of the machine are kept out by a key.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse

from .api_errors import ApiError

OPEN = frozenset({"/health"})
"""Paths that need no key: whoever waits for the server asks them."""

_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::([0-9]{0,5}))?", re.ASCII | re.IGNORECASE)
_LAST_PORT = 65535

_MOST_HEADERS = 16 * 2**10  # bytes, as much as the parser takes of a head that comes in pieces

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        key: What `Authorization: Bearer` must hold; "" lets everybody in.
        hosts: Names and addresses the server answers to besides loopback's, in lower case.
        any_address: Whether it answers to every address (it listens on all of them); names must still be in `hosts`.
    """

    key: str = field(default="", repr=False)
    hosts: frozenset[str] = frozenset()
    any_address: bool = False

    def check(self, method: str, path: str, headers: dict[bytes, bytes]) -> None:
        """Let a request in.

        Args:
            method, path: Of the request.
            headers: By lower-case name.

        Raises:
            ApiError: 401 (key), 403 (origin), 415 (no JSON), 421 (host) or 431 (headers too long).
        """
        if sum(map(len, headers)) + sum(map(len, headers.values())) > _MOST_HEADERS:
            raise ApiError(431, f"The headers are longer than {_MOST_HEADERS} bytes.")
        said = headers.get(b"host", b"").decode("latin-1")
        if not self._is_ours(said):
            raise ApiError(421, f"Host: {said[:100]!r} is not this server's; --allowed-host adds a name.", "Host")
        if (origin := headers.get(b"origin")) is not None:
            scheme, _, place = origin.decode("latin-1").partition("://")
            if scheme not in ("http", "https") or not self._is_ours(place):
                raise ApiError(403, "Origin: pages of another origin may not ask.", "Origin", "PermissionDeniedError")
        if self.key and path not in OPEN and not self._has_key(headers.get(b"authorization", b"")):
            raise ApiError(401, "Authorization: the server wants its key.", "Authorization", "AuthenticationError")
        if method == "POST":
            _check_json(headers)

    def _is_ours(self, authority: str) -> bool:
        host = _host(authority)
        if host is None:
            return False
        return host in self.hosts or is_loopback(host) or (self.any_address and _address(host) is not None)

    def _has_key(self, said: bytes) -> bool:
        scheme, _, given = said.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self.key.encode())


DEFAULT_ACCESS = Access()
"""Everybody on this machine who says that he means it."""


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, for itself alone."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _host(authority: str) -> str | None:
    """The host of `host:port`, `[v6]:port` or `host`, without the dot that may end a whole name; None of anything else.

    What another reader might take for another host (`localhost:80@other`) is none.
    """
    found = _AUTHORITY.fullmatch(authority)
    if found is None or int(found[3] or 0) > _LAST_PORT:
        return None
    if found[1] is not None:
        address = _address(found[1])
        return found[1].lower() if address is not None and address.version == 6 else None
    return found[2].lower().removesuffix(".")


def _check_json(headers: dict[bytes, bytes]) -> None:
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise ApiError(415, "Content-Type: only application/json is read.", "Content-Type", "UnsupportedMediaType")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise ApiError(
            415, "Content-Encoding: bodies are read as they are.", "Content-Encoding", "UnsupportedMediaType"
        )


def guarded(app: App, access: Access) -> App:
    """The app behind a check of every request's head."""

    async def enter(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            try:
                if sum(name == b"host" for name, _ in scope["headers"]) > 1:
                    raise ApiError(400, "Host: there is more than one.", "Host")
                access.check(scope["method"], scope["path"], dict(scope["headers"]))
            except ApiError as problem:
                await refusal(problem)(scope, receive, send)
                return
        await app(scope, receive, send)

    return enter


def refusal(problem: ApiError) -> JSONResponse:
    """An error as the response it becomes."""
    headers = {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status in (413, 431):
        headers["Connection"] = "close"  # what else comes of it is not read
    return JSONResponse(problem.body(), status_code=problem.status, headers=headers)
