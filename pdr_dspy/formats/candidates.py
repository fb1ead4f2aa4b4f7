"""From the texts that may be a value to the first of them that can be read. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pdr_dspy.formats.coerce import lenient
from pdr_dspy.formats.phrases import is_placeholder, refuses

NOTHING = object()
"""No value."""


class Unread(ValueError):
    """A text that lacks a field of its signature, or has something else in its place."""


def readable(candidates: Iterable[str], kind: Any) -> Any:
    """The first candidate that can be read as the type, or `NOTHING`; refusals and placeholders are no value."""
    for candidate in candidates:
        if not candidate.strip() or is_placeholder(candidate) or refuses(candidate):
            continue
        try:
            return lenient(candidate, kind)
        except (ValueError, RecursionError):
            continue
    return NOTHING
