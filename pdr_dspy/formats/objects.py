"""A JSON object in a text that has some wanted keys: bare, in a code fence, or with prose around it. Pure."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

import json_repair

from pdr_dspy.formats.marks import key_of

_LONGEST = 200_000
"""Characters that are looked at: repairing takes longer than reading."""


_DEEPEST = 40
"""Brackets in one another, or left open, at most: repairing more takes time that grows with their square."""


def repairable(text: str) -> bool:
    """Whether a text is one that a JSON object can be looked for in, in reasonable time."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth = depth + 1 if bracket in "{[" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest <= _DEEPEST and len(text) <= _LONGEST


_BRACKET = re.compile(r"[{}\[\]]")


def found_object(text: str, wanted: Set[str]) -> dict[str, Any] | None:
    """The last JSON object with at least one of the wanted keys, these spelled as they are wanted; None without one."""
    keys = {key_of(name): name for name in wanted}
    if not any(key_of(found) in keys for found in _KEY.findall(text)):
        return None
    start, end = text.find("{"), text.rfind("}")
    if start < 0:
        return None
    part = text[start : end + 1] if end > start else text[start:]
    if not repairable(part):
        return None
    loaded = json_repair.loads(part)
    for candidate in reversed(loaded if isinstance(loaded, list) else [loaded]):
        if isinstance(candidate, dict):
            named = {keys.get(key_of(str(key)), str(key)): value for key, value in candidate.items()}
            if wanted & named.keys():
                return {key: latex(value) for key, value in named.items() if value is not None}
    return None


def closed_string(text: str, name: str) -> str | None:
    """The last string of this key that is closed, in an object that need not be; None without one."""
    found = re.findall(rf"\"{re.escape(name)}\"\s*:\s*(\"(?:[^\"\\]|\\.)*\")", text)
    loaded = json_repair.loads(found[-1]) if found else None
    return str(latex(loaded)) if loaded else None


def latex(value: Any) -> Any:
    """A text whose LaTeX lost its backslashes to JSON's escapes (`\\f` of `\\frac`, `\\t` of `\\theta`), with them."""
    if not isinstance(value, str):
        return value
    text = _LOST.sub(lambda m: {"\b": "\\b", "\f": "\\f"}[m[0]], value)
    text = _TABBED.sub(r"\\t\1", text)
    return _RETURNED.sub(r"\\r\1", text)


_KEY = re.compile(r"[\"']([^\"'\n]{1,60})[\"']\s*:")
_LOST = re.compile(r"[\b\f](?=[a-zA-Z])")
_TABBED = re.compile(r"\t(heta|imes|ext|an\b|anh|au\b|o\b|riangle|frac|ilde|op\b)")
_RETURNED = re.compile(r"\r(ho\b|ight|angle|ceil|floor|m\{)")
