"""What a server says of a model in its list of models, whichever server it is. Pure.

The list is OpenAI's; how long a model is stands in a field of its own at each (vLLM, SGLang: `max_model_len`; LiteLLM's
gateway: `max_input_tokens`; llama.cpp: `meta.n_ctx_train`; LM Studio, OpenRouter: others).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

_LENGTHS = (
    "max_model_len", "max_context_length", "context_length", "context_window", "max_seq_len", "max_input_tokens",
    "n_ctx", "n_ctx_train",
)  # fmt: skip
_NESTED = ("meta", "model_info")
_UNITS = {"": 1, "k": 1000, "K": 1024, "m": 1000**2, "M": 1024**2}  # as vLLM reads its own --max-model-len
_WRITTEN = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kKmM]?)(?:\s*tokens?)?")
_LEAST, _MOST = 16, 2**31  # tokens: anything else is no model's length


def model_cards(listed: Any) -> list[dict[str, Any]] | None:
    """The cards of a list of models, each with an `id` that is a text; None where it is no such list."""
    data = listed.get("data") if isinstance(listed, Mapping) else None
    if not isinstance(data, list) or not all(isinstance(card, Mapping) for card in data):
        return None
    cards = [dict(card) for card in data]
    return cards if all(isinstance(card.get("id"), str) and card["id"].strip() for card in cards) else None


def stated_context(card: Mapping[str, Any]) -> int | None:
    """The model's length in tokens as its card states it, or None."""
    places = [card, *(card[name] for name in _NESTED if isinstance(card.get(name), Mapping))]
    lengths = (as_length(place.get(name)) for name in _LENGTHS for place in places)
    return next((length for length in lengths if length is not None), None)


def as_length(value: Any) -> int | None:
    """A length in tokens, however it is written (8192, 8192.0, "8192", "32K"; "8k" is 8000); else None."""
    if isinstance(value, str):
        found = _WRITTEN.fullmatch(value.strip().replace(",", "").replace("_", ""))
        value = float(found["number"]) * _UNITS[found["unit"]] if found else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if _LEAST <= value <= _MOST else None


def unreadable_length(card: Mapping[str, Any]) -> str:
    """What a card says for a length where it is none (-1, `auto`), or ""."""
    said = {name: card[name] for name in _LENGTHS if card.get(name) not in (None, "", 0)}
    return "" if stated_context(card) is not None else ", ".join(f"{n}: {str(v)[:40]!r}" for n, v in said.items())


def stated_text(card: Mapping[str, Any], name: str) -> str:
    """A field of a card that is a text, or ""."""
    value = card.get(name)
    return value if isinstance(value, str) else ""
