"""How to reach an endpoint, checked before anything is sent. Knows the form of addresses, not whether they answer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from pdr_dspy.errors import EndpointError
from pdr_dspy.secrets.secret import Secret

Thinking = Literal["auto", "server", "continue", "off"]
"""How a cap on thinking is kept."""

KEY_VARIABLES = ("PDR_API_KEY", "OPENAI_API_KEY", "HOSTED_VLLM_API_KEY")
"""Environment variables an API key is taken from, the first that is set."""

_MEND = "Write it as http://host:port/v1"
_NUMBERS = {"load": int, "timeout": int | float, "connect_timeout": int | float, "retries": int, "backoff": int | float}
_PER_HOST = 500  # connections LiteLLM's HTTP client opens to one address; more would queue there unseen


def key_from_environment(environ: Mapping[str, str] | None = None) -> Secret:
    """The API key of the environment, or an empty secret."""
    values = os.environ if environ is None else environ
    keys = (Secret(values.get(name, ""), name) for name in KEY_VARIABLES)
    return next((key for key in keys if key), Secret(""))


@dataclass(frozen=True)
class EndpointSettings:
    """One model behind one or several addresses.

    Attributes:
        urls: Base addresses of the replicas, `http://host:port` or with a path (`/v1` is added where there is none).
        model: Name the model is served under; None takes the only one served.
        api_key: Never shown nor saved; see `Secret`. Default: from the environment (`KEY_VARIABLES`).
        load: Requests in flight at most, all replicas together.
        timeout: Seconds one attempt may take.
        connect_timeout: Seconds to open a connection.
        retries: Attempts after the first, for failures that may pass.
        backoff: Seconds before the first retry at most; doubles with each.
        thinking: How a call's cap on thinking is kept. "server": the server closes the thinking at the cap
            (`thinking_token_budget`), and one that refuses the field or is seen to ignore it is an `EndpointError`.
            "continue": a first request ends at the cap; a thinking still open then is closed (`</think>`) and a second
            request continues the message (`continue_final_message`) with the tokens that are left. "auto": the server
            until it refuses or is seen to ignore the field, from then on as "continue". "off": nobody; a thinking that
            takes all of `max_tokens` leaves no answer.
        revision: Names the weights, where the server's own answer does not tell them apart (a part of store keys).

    Raises:
        EndpointError: an impossible value; `field` names it.
    """

    urls: tuple[str, ...]
    model: str | None = None
    api_key: Secret = field(default_factory=key_from_environment)
    load: int = 32
    timeout: float = 600.0
    connect_timeout: float = 10.0
    retries: int = 4
    backoff: float = 0.5
    thinking: Thinking = "auto"
    revision: str | None = None

    def __post_init__(self) -> None:
        urls = (self.urls,) if isinstance(self.urls, str) else split_urls(self.urls)
        object.__setattr__(self, "urls", tuple(_base(url) for url in urls))
        if isinstance(self.api_key, str):
            object.__setattr__(self, "api_key", Secret(self.api_key))
        if not isinstance(self.api_key, Secret):  # not shown: it may be the key in another type
            raise EndpointError("api key", f"a {type(self.api_key).__name__} is none", "Give a text")
        self.api_key.checked()
        if self.model is not None and (not isinstance(self.model, str) or not self.model):
            raise EndpointError("model", f"{self.model!r:.60} is no name", "Write the name it is served under")
        if self.revision is not None and not isinstance(self.revision, str):
            raise EndpointError("revision", f"{self.revision!r:.60} is no name", "Write a text, or leave it out")
        if not self.urls:
            raise EndpointError("endpoint", "no address", "Write at least one, as http://localhost:8000/v1")
        if len(set(self.urls)) < len(self.urls):
            raise EndpointError("endpoint", "the same address twice", "Write each replica once")
        for name, kind in _NUMBERS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind) or value != value:
                what = "a whole number" if kind is int else "a number"
                raise EndpointError(name, f"{value!r:.60} is not {what}", f"Write {what}, without quotes")
        most = _PER_HOST * len(self.urls)
        if not 1 <= self.load <= most:
            raise EndpointError("load", f"{self.load} requests in flight", f"Write a number from 1 to {most}")
        for name in ("timeout", "connect_timeout", "backoff"):
            if getattr(self, name) <= 0:
                raise EndpointError(name, f"{getattr(self, name)} seconds", "Write a positive number")
        if self.retries < 0:
            raise EndpointError("retries", f"{self.retries}", "Write 0 or more")
        if not isinstance(self.thinking, str) or self.thinking not in ("auto", "server", "continue", "off"):
            raise EndpointError("thinking", f"{self.thinking!r}", "Write auto, server, continue or off")


def split_urls(text: str | Sequence[str]) -> tuple[str, ...]:
    """Addresses from a comma-separated text, or as they are.

    Raises:
        EndpointError: it is neither a text nor texts.
    """
    if isinstance(text, str):
        return tuple(u.strip() for u in text.split(",") if u.strip())
    if not isinstance(text, Sequence) or not all(isinstance(url, str) for url in text):
        raise EndpointError("endpoint", f"a {type(text).__name__} is no address", _MEND)
    return tuple(text)


def _base(url: str) -> str:
    mend = _MEND
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise EndpointError("endpoint", "an address that can't be read", mend) from None
    if parts.username or parts.password:
        # The address is not repeated: it holds a password.
        raise EndpointError("endpoint", "an address with credentials in it", "Put the key in PDR_API_KEY or as api_key")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EndpointError("endpoint", f"{url!r} is not an http address", mend)
    if parts.query or parts.fragment:
        raise EndpointError("endpoint", "an address with a query or fragment", mend)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}"
