"""A cell of a table, and the text that a model reads of it. A number keeps its spelling. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


class Number(str):
    """A number as JSON spells it: `0.00001` stays that, and `1e16`, and a thousand digits."""

    __slots__ = ()


class NotFinite(str):
    """`NaN`, `Infinity` or `-Infinity`, which JSON does not have and many a program writes."""

    __slots__ = ()


_PLAIN = (1e-7, 1e21)
"""From here to there a float is written without an exponent, as JavaScript does."""


def as_text(value: Any) -> str:
    """A cell as text: strings and numbers as they are spelled, everything else as JSON."""
    return str(value) if isinstance(value, str) else _json(value)


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: null, NaN (as pandas writes it), no text, an empty list."""
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, NotFinite):
        return value == "NaN"
    return value is None or (isinstance(value, str) and not value.strip()) or value == [] or value == {}


def plain(value: Any) -> Any:
    """A cell with Python's own numbers."""
    if isinstance(value, Number | NotFinite):
        try:
            return int(value) if value.lstrip("-").isdecimal() else float(value)
        except ValueError:  # more digits than Python reads
            return str(value)
    if isinstance(value, Mapping):
        return {name: plain(kept) for name, kept in value.items()}
    return [plain(kept) for kept in value] if isinstance(value, list | tuple) else value


def _json(value: Any) -> str:
    if isinstance(value, Number | NotFinite):
        return str(value)
    if isinstance(value, float):
        return _spelled(value)
    if isinstance(value, Mapping):
        inner = (f"{json.dumps(str(name), ensure_ascii=False)}: {_json(kept)}" for name, kept in value.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_json, value)) + "]"
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, str | bool | int):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _spelled(value: float) -> str:
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text and _PLAIN[0] <= abs(value) < _PLAIN[1] else text
