"""Is it the right server? Asked before the first token is spent; every way it can't be used is an `EndpointError`.

Also what identifies the model: the name it is served under, its revision, its length in tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from pdr_dspy.endpoint.recommended import Recommended, recommendation
from pdr_dspy.endpoint.settings import EndpointSettings
from pdr_dspy.errors import EndpointError


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
    """

    model: str
    revision: str
    context: int | None
    root: str = ""
    recommended: Recommended = field(default_factory=Recommended)


def identify(settings: EndpointSettings, http: httpx.Client) -> Identity:
    """Ask every replica what it serves.

    Raises:
        EndpointError: unreachable, a refused key, not an OpenAI-style server, another model, or replicas that differ.
    """
    cards = [_card(settings, url, http) for url in settings.urls]
    first = cards[0]
    for url, card in zip(settings.urls, cards, strict=True):
        if card["id"] != first["id"] or card.get("root") != first.get("root"):
            raise EndpointError(
                "endpoint",
                f"the replicas serve different models: {first['id']} ({first.get('root')}) at {settings.urls[0]}, "
                f"{card['id']} ({card.get('root')}) at {url}",
                "Give replicas of one model",
            )
    lengths = [int(c["max_model_len"]) for c in cards if c.get("max_model_len")]
    revision = settings.revision or first.get("revision") or first.get("root") or ""
    root = str(first.get("root") or "")
    recommended = recommendation(first, root)
    return Identity(str(first["id"]), str(revision), min(lengths, default=None), root, recommended)


def _card(settings: EndpointSettings, url: str, http: httpx.Client) -> dict[str, Any]:
    served = {str(card["id"]): card for card in _served(settings, url, http)}
    names = ", ".join(sorted(served))
    if settings.model is None:
        if len(served) == 1:
            return next(iter(served.values()))
        raise EndpointError("model", f"{url} serves several", f"Choose one of: {names}")
    if settings.model not in served:
        raise EndpointError("model", f"{settings.model!r} is not served at {url}", f"Choose one of: {names}")
    return served[settings.model]


def _served(settings: EndpointSettings, url: str, http: httpx.Client) -> list[dict[str, Any]]:
    mend = "Start an OpenAI-style server there (vllm serve MODEL) or correct the address"
    problem: str
    try:
        reply = http.get(f"{url}/models")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        problem = settings.api_key.scrub(f"{url} is unreachable ({type(error).__name__}: {error})")
        raise EndpointError("endpoint", problem, mend) from None
    if reply.status_code in (401, 403):
        given = "the key was refused" if settings.api_key else "a key is required"
        problem = f"{given} at {url} (HTTP {reply.status_code})"
        raise EndpointError("api key", problem, "Set PDR_API_KEY or give api_key")
    if reply.status_code != 200:
        raise EndpointError("endpoint", f"{url}/models answers HTTP {reply.status_code}", mend)
    try:
        cards = [card for card in reply.json()["data"] if card["id"]]
    except (ValueError, KeyError, TypeError):
        kind = reply.headers.get("content-type", "no content type")
        raise EndpointError(
            "endpoint", f"{url}/models does not answer as an OpenAI-style server ({kind})", mend
        ) from None
    if not cards:
        raise EndpointError("model", f"{url} serves no model", "Load one")
    return cards
