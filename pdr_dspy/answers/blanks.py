"""Blanks that say something, and those that don't. Pure."""

from __future__ import annotations

import re

_BEHIND_COMMA = re.compile(r"(?<=[0-9]), (?=[0-9]{3}(?![0-9]))")


def squeezed(text: str) -> str:
    """A text without the blanks that say nothing: one stays between two digits, and between two words."""
    text = " ".join(text.split())
    return re.sub(r"(?<![0-9a-zA-Z]) | (?![0-9a-zA-Z])", "", text)


def same_text(one: str, other: str) -> bool:
    """Whether two texts differ in blanks that say nothing; one behind a comma may part two numbers (`1, 234`)."""
    one, other = (_BEHIND_COMMA.sub("; ", " ".join(text.split())) for text in (one, other))
    return squeezed(one) == squeezed(other)
