"""A JSON object in a text that has some wanted keys: bare, in a code fence, or with prose around it. Pure."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

from pdr_dspy.formats.marks import key_of
from pdr_dspy.formats.repairing import repaired


def found_object(text: str, wanted: Set[str]) -> dict[str, Any] | None:
    """The last JSON object with at least one of the wanted keys, these spelled as they are wanted; None without one."""
    keys = {key_of(name): name for name in wanted}
    if not any(key_of(found) in keys for found in _KEY.findall(text)):
        return None
    start, end = text.find("{"), text.rfind("}")
    if start < 0:
        return None
    part = text[start : end + 1] if end > start else text[start:]
    try:
        loaded = repaired(part)
    except ValueError:
        return None
    for candidate in reversed(loaded if isinstance(loaded, list) else [loaded]):
        if isinstance(candidate, dict):
            named = {keys.get(key_of(str(key)), str(key)): value for key, value in candidate.items()}
            if wanted & named.keys():
                return {key: latex(value) for key, value in named.items() if value is not None}
    return None


def closed_string(text: str, name: str) -> str | None:
    """The last string of this key that is closed, in an object that need not be; None without one."""
    found = re.findall(rf"\"{re.escape(name)}\"\s*:\s*(\"(?:[^\"\\]|\\.)*\")", text)
    try:
        loaded = repaired(found[-1]) if found else None
    except ValueError:
        return None
    return str(latex(loaded)) if loaded else None


def first_closed(text: str) -> str | None:
    """The part from the first brace that is closed to the brace that closes it; None where none is."""
    open_: list[int] = []
    first: tuple[int, int] | None = None
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            open_.append(brace.start())
        elif open_:
            start = open_.pop()
            if first is None or start < first[0]:
                first = start, brace.end()
    return None if first is None else text[first[0] : first[1]]


def latex(value: Any) -> Any:
    """A text whose LaTeX lost its backslashes to JSON's escapes (`\\f` of `\\frac`, `\\t` of `\\theta`), with them."""
    if not isinstance(value, str):
        return value
    text = _LOST.sub(lambda m: {"\b": "\\b", "\f": "\\f"}[m[0]], value)
    text = _TABBED.sub(r"\\t\1", text)
    return _RETURNED.sub(r"\\r\1", text)


_KEY = re.compile(r"[\"']([^\"'\n]{1,60})[\"']\s*:")
_BRACE = re.compile(r"[{}]")
_LOST = re.compile(r"[\b\f](?=[a-zA-Z])")
_TABBED = re.compile(r"\t(heta|imes|ext|an\b|anh|au\b|o\b|riangle|frac|ilde|op\b)")
_RETURNED = re.compile(r"\r(ho\b|ight|angle|ceil|floor|m\{)")
