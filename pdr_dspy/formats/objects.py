"""A JSON object in a text that has some wanted keys: bare, in a code fence, or with prose around it. Pure."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

import json_repair

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
    """The last JSON object with at least one of the wanted keys; None where there is none."""
    if not any(re.search(rf"[\"']{re.escape(name)}[\"']\s*:", text) for name in wanted):
        return None
    start, end = text.find("{"), text.rfind("}")
    if start < 0:
        return None
    part = text[start : end + 1] if end > start else text[start:]
    if not repairable(part):
        return None
    loaded = json_repair.loads(part)
    for candidate in reversed(loaded if isinstance(loaded, list) else [loaded]):
        if isinstance(candidate, dict) and wanted & candidate.keys():
            return candidate
    return None
