"""The HTTP clients: a synchronous one for what is asked beside the calls, and LiteLLM's for the calls.

Both take their proxies from `proxies`, neither looks at the environment itself. LiteLLM's gets a transport of ours
around its own, where the body of an answer is checked before LiteLLM reads it.
"""

from __future__ import annotations

import atexit
import json
import os
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from pdr_dspy import bridge
from pdr_dspy.endpoint.chat_body import checked
from pdr_dspy.endpoint.delivery import sent_once
from pdr_dspy.endpoint.proxies import Proxy
from pdr_dspy.endpoint.secret import Secret
from pdr_dspy.errors import EndpointError

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_LEFT_OUT = ("content-encoding", "content-length", "transfer-encoding")  # of the body as it came over the wire
_CLOSING = 5.0  # seconds at the end of the program


def side_client(key: Secret, timeout: httpx.Timeout, proxies: Mapping[str, Proxy]) -> httpx.Client:
    """A client for the list of models and the tokenizer.

    Raises:
        EndpointError: the environment names certificates that can't be read.
    """
    headers = {"Authorization": f"Bearer {key.reveal()}"} if key else {}
    tls = _tls(*(os.environ.get(name, "") for name in _CERTIFICATES))
    mounts = {_origin(url): httpx.HTTPTransport(proxy=proxy.url, verify=tls) for url, proxy in proxies.items()}
    return httpx.Client(headers=headers, timeout=timeout, verify=tls, mounts=mounts, trust_env=False)


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
    atexit.register(_close, inner)
    return AsyncHTTPHandler(transport=CheckedTransport(inner))


class _Known(dict[str, str | None]):
    """The proxy of each host; no other host has one."""

    def __contains__(self, host: object) -> bool:
        return True

    def __missing__(self, host: str) -> None:
        return None


def _close(transport: httpx.AsyncBaseTransport) -> None:
    try:
        bridge.submit(transport.aclose()).result(_CLOSING)
    except Exception:  # the program ends: there is nobody left to tell
        return


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
            MalformedBody: a success that is JSON, but no chat completion.
            Unsent, Broken: the connection failed, before and after the request began to be sent.
        """
        with sent_once():
            return await self._answered(request)

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if response.status_code != httpx.codes.OK:
            return response
        response.request = request
        try:
            data = await response.aread()
        finally:
            await response.aclose()
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in _LEFT_OUT]
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            return httpx.Response(200, headers=headers, content=data, request=request)  # for LiteLLM to say what it is
        asked = str(json.loads(request.content).get("model"))
        return httpx.Response(200, headers=headers, content=json.dumps(checked(body, asked)).encode(), request=request)

    async def aclose(self) -> None:
        """Nothing: after one failed connection LiteLLM closes a client, but the others' requests go this way, too."""
