"""A JSON object in a text that has some wanted keys: bare, in a code fence, or with prose around it. Pure."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

import json_repair

_LONGEST = 200_000
"""Characters that are looked at: repairing takes longer than reading."""


def found_object(text: str, wanted: Set[str]) -> dict[str, Any] | None:
    """The last JSON object with at least one of the wanted keys; None where there is none."""
    if not any(re.search(rf"[\"']{re.escape(name)}[\"']\s*:", text) for name in wanted):
        return None
    part = text[-_LONGEST:]
    start, end = part.find("{"), part.rfind("}")
    if start < 0:
        return None
    loaded = json_repair.loads(part[start : end + 1] if end > start else part[start:])
    for candidate in reversed(loaded if isinstance(loaded, list) else [loaded]):
        if isinstance(candidate, dict) and wanted & candidate.keys():
            return candidate
    return None
