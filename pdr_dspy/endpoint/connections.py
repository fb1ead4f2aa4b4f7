"""The HTTP clients: a synchronous one for what is asked beside the calls, and LiteLLM's for the calls.

Both take their proxies from `proxies`, neither looks at the environment itself. LiteLLM's gets a transport of ours
around its own, where the body of an answer is checked before LiteLLM reads it; so much is read as `reading` says.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from pdr_dspy import bridge, forking
from pdr_dspy.endpoint.chat_body import checked, decoded
from pdr_dspy.endpoint.delivery import sent_once
from pdr_dspy.endpoint.proxies import Proxy
from pdr_dspy.endpoint.reading import SideTransport, beginning_of, body_of, most_of, not_redirected, whole_response
from pdr_dspy.errors import EndpointError
from pdr_dspy.secrets.secret import Secret

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_LARGE = 2**18  # bytes of a body that is not decoded on the event loop
_CLOSING = 5.0  # seconds at the end of the program
_SIDE_SECONDS = 30.0  # of a request whose timeout says nothing


def closed() -> EndpointError:
    """The error of whatever is asked of an endpoint that is closed."""
    return EndpointError("endpoint", "it is closed", "Open it again, with connect(URL)")


class _SideClient(httpx.Client):
    """A client that says in our words that it is closed."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The answer.

        Raises:
            EndpointError: it is closed.
        """
        if self.is_closed:
            raise closed()
        return super().send(request, **options)


def side_client(key: Secret, timeout: httpx.Timeout, proxies: Mapping[str, Proxy]) -> httpx.Client:
    """A client for the list of models and the tokenizer; it follows no redirection. Closed, it raises `closed()`.

    Raises:
        EndpointError: the environment names certificates that can't be read.
    """
    headers = {"Authorization": f"Bearer {key.reveal()}"} if key else {}
    tls = _tls(*(os.environ.get(name, "") for name in _CERTIFICATES))
    seconds = timeout.read or _SIDE_SECONDS

    def way(proxy: str | None = None) -> SideTransport:
        return SideTransport(lambda: httpx.HTTPTransport(proxy=proxy, verify=tls, trust_env=False), seconds)

    mounts = {_origin(url): way(proxy.url) for url, proxy in proxies.items()}
    return _SideClient(headers=headers, timeout=timeout, transport=way(), mounts=mounts, trust_env=False)


@cache
def _tls(file: str, directory: str) -> ssl.SSLContext:
    for name, path, there in zip(
        _CERTIFICATES, (file, directory), (os.path.isfile(file), os.path.isdir(directory)), strict=True
    ):
        if path and not there:
            raise EndpointError(name, f"{path} does not exist", f"Correct {name} or unset it")
    try:
        return httpx.create_ssl_context()  # reads all root certificates: once
    except (OSError, ssl.SSLError) as error:
        names = " and ".join(name for name in _CERTIFICATES if os.environ.get(name)) or "the root certificates"
        raise EndpointError("certificates", f"{names} can't be read ({error})", f"Correct {names}") from None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"all://{host}{f':{parts.port}' if parts.port else ''}"


def litellm_client(proxies: Mapping[str, Proxy]) -> Any:
    """LiteLLM's client for chat completions; one for each set of proxies, because it holds the connections.

    Args:
        proxies: The proxies, by the addresses of the servers they are for.
    """
    return _litellm_client(tuple(sorted((urlsplit(url).hostname or "", p.url) for url, p in proxies.items())))


@cache
def _litellm_client(proxies: tuple[tuple[str, str], ...]) -> Any:
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, get_ssl_configuration

    tls = get_ssl_configuration()
    inner = AsyncHTTPHandler.create_aiohttp_transport(
        ssl_context=tls if isinstance(tls, ssl.SSLContext) else None, ssl_verify=tls if isinstance(tls, bool) else None
    )
    inner.proxy_cache = _Known(proxies)  # what it would look up in the environment
    atexit.register(_close, inner, os.getpid())
    handler = AsyncHTTPHandler(transport=CheckedTransport(inner))
    _handlers.append(handler)
    return handler


_handlers: list[Any] = []


def _in_child() -> None:
    forking.keep(*_handlers)
    _handlers.clear()
    _litellm_client.cache_clear()


forking.in_child(_in_child)


class _Known(dict[str, str | None]):
    """The proxy of each host; no other host has one."""

    def __contains__(self, host: object) -> bool:
        return True

    def __missing__(self, host: str) -> None:
        return None


def _close(transport: httpx.AsyncBaseTransport, pid: int) -> None:
    if pid != os.getpid():  # a forked child: the connections are the parent's
        return
    try:
        bridge.submit(transport.aclose()).result(_CLOSING)
    except Exception:  # the program ends: there is nobody left to tell
        return


def _completion(data: bytes, model: str) -> bytes:
    return json.dumps(checked(decoded(data), model)).encode()


class CheckedTransport(httpx.AsyncBaseTransport):
    """A transport whose successful answers are chat completions, checked and brought into one form.

    Args:
        inner: The way to the server.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer.

        Raises:
            MalformedBody: a success that is no chat completion, or larger than one can be.
            Redirected: the server wants to be asked elsewhere.
            Unsent, Broken: the connection failed, before and after the request began to be sent.
        """
        with sent_once():
            return await self._answered(request)

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        response.request = request
        try:
            not_redirected(response)
            if response.status_code != httpx.codes.OK:
                return whole_response(response, await beginning_of(response), request)
            asked = json.loads(request.content)
            data = await body_of(response, most_of(asked))
        finally:
            await response.aclose()
        model = str(asked.get("model"))
        body = await asyncio.to_thread(_completion, data, model) if len(data) > _LARGE else _completion(data, model)
        return whole_response(response, body, request)

    async def aclose(self) -> None:
        """Nothing: after one failed connection LiteLLM closes a client, but the others' requests go this way, too."""
