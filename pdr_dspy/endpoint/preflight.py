"""Is it the right server? Asked before the first token is spent; every way it can't be used is an `EndpointError`.

Also what identifies the model: the name it is served under, its revision, its length in tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from pdr_dspy.characters import whole_json
from pdr_dspy.endpoint.cards import model_cards, stated_context, stated_text, unreadable_length
from pdr_dspy.endpoint.proxies import GATEWAY_STATUS, proxies_of
from pdr_dspy.endpoint.reading import Redirected, not_redirected
from pdr_dspy.endpoint.recommended import Recommended, recommendation
from pdr_dspy.endpoint.settings import EndpointSettings
from pdr_dspy.errors import EndpointError
from pdr_dspy.secrets.credentials import without_credentials
from pdr_dspy.secrets.redaction import redacted
from pdr_dspy.terminal import name_of

_SHOWN = 300  # characters of what a server says that are passed on
_READ = 2000
_NAME = 512  # characters of a model's name


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model answers.

    Attributes:
        model: Name it is served under.
        revision: Tells weights apart that are served under one name: the settings' revision, else the one the server
            states, else where the server loaded the model from, else "".
        context: The model's length in tokens, prompt and answer together; None where the server does not say.
        root: Where the server loaded the model from (a directory or a repository), as it says, or "".
        recommended: How the model's card says that it is to be asked.
        odd_context: What the server says of the length that is none, or "".
    """

    model: str
    revision: str
    context: int | None
    root: str = ""
    recommended: Recommended = field(default_factory=Recommended)
    odd_context: str = ""


def identify(settings: EndpointSettings, http: httpx.Client) -> Identity:
    """Ask every replica what it serves.

    Raises:
        EndpointError: unreachable, a refused key, not an OpenAI-style server, another model, or replicas that differ.
    """
    cards = [_card(settings, url, http) for url in settings.urls]
    first = cards[0]
    for url, card in zip(settings.urls, cards, strict=True):
        if card["id"] != first["id"] or card.get("root") != first.get("root"):
            problem = (
                f"the replicas serve different models: {first['id']} ({first.get('root')}) at {settings.urls[0]}, "
                f"{card['id']} ({card.get('root')}) at {url}"
            )
            raise EndpointError("endpoint", redacted(settings.api_key.scrub(problem)), "Give replicas of one model")
    lengths = [length for card in cards if (length := stated_context(card)) is not None]
    # They stand in tables and files, and a bucket's address may have a password in it.
    root, stated = (name_of(without_credentials(stated_text(first, name))) for name in ("root", "revision"))
    revision = settings.revision or stated or root
    return Identity(
        first["id"],
        revision,
        min(lengths, default=None),
        root,
        recommendation(first, root),
        unreadable_length(first),
    )


def _card(settings: EndpointSettings, url: str, http: httpx.Client) -> dict[str, Any]:
    served: dict[str, dict[str, Any]] = {}
    for card in _served(settings, url, http):
        served.setdefault(card["id"], card)
    names = redacted(settings.api_key.scrub(", ".join(map(name_of, sorted(served)))[:_SHOWN]))
    if settings.model is None:
        if len(served) == 1:
            return _nameable(url, next(iter(served.values())))
        raise EndpointError("model", f"{url} serves several", f"Choose one of: {names}")
    if settings.model not in served:
        raise EndpointError("model", f"{settings.model!r} is not served at {url}", f"Choose one of: {names}")
    return _nameable(url, served[settings.model])


def _nameable(url: str, card: dict[str, Any]) -> dict[str, Any]:
    """The card, if its name can stand in a line of a table, a report and a file."""
    name = card["id"]
    if name_of(name) != name or len(name) > _NAME:
        problem = f"{url} serves a model under a name with control characters, or of more than {_NAME} characters"
        raise EndpointError("model", f"{problem}: {name_of(name)[:_SHOWN]}", "Serve it under another name")
    return card


def _served(settings: EndpointSettings, url: str, http: httpx.Client) -> list[dict[str, Any]]:
    mend = "Start an OpenAI-style server there (vllm serve MODEL) or correct the address"
    proxy = proxies_of([url]).get(url)
    through = "" if proxy is None else f" through {proxy}"
    try:
        reply = http.get(f"{url}/models")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"[:_READ]
        problem = redacted(settings.api_key.scrub(f"{url} is unreachable{through} ({said})"))
        raise EndpointError("endpoint", problem, mend if proxy is None else proxy.mend) from None
    if proxy is not None and reply.status_code in GATEWAY_STATUS:
        problem = f"{url} is unreachable{through}, which answers HTTP {reply.status_code}"
        raise EndpointError("endpoint", problem, proxy.mend)
    if reply.status_code in (401, 403):
        given = "the key was refused" if settings.api_key else "a key is required"
        problem = f"{given} at {url} (HTTP {reply.status_code})"
        raise EndpointError("api key", problem, "Set PDR_API_KEY or give api_key")
    try:
        not_redirected(reply)
    except Redirected as elsewhere:
        problem = redacted(settings.api_key.scrub(f"{url}/models: {elsewhere}"))
        raise EndpointError("endpoint", problem, elsewhere.mend) from None
    if reply.status_code != 200:
        raise EndpointError("endpoint", f"{url}/models answers HTTP {reply.status_code}", mend)
    try:
        cards = model_cards(whole_json(reply.json()))
    except (ValueError, RecursionError):
        cards = None
    if cards is None:
        kind = redacted(settings.api_key.scrub(reply.headers.get("content-type", "no content type")[:_SHOWN]))
        raise EndpointError("endpoint", f"{url}/models does not answer as an OpenAI-style server ({kind})", mend)
    if not cards:
        raise EndpointError("model", f"{url} serves no model", "Load one")
    return cards
