"""Blanks that say something, and those that don't. Pure."""

from __future__ import annotations

import re

_BEHIND_COMMA = re.compile(r"(?<=[0-9]), (?=[0-9]{3}(?![0-9]))")


_RUN = re.compile(r"\s{9,}")


def shortened_runs(text: str) -> str:
    """A text whose long runs of blanks are short: how long one is says nothing, and patterns take the square of it."""
    return _RUN.sub(lambda run: "\n\n" if "\n" in run[0] else "   ", text)


def squeezed(text: str) -> str:
    """A text without the blanks that say nothing: one stays between two digits, and between two words."""
    text = " ".join(text.split())
    return re.sub(r"(?<![0-9a-zA-Z]) | (?![0-9a-zA-Z])", "", text)


def same_text(one: str, other: str) -> bool:
    """Whether two texts differ in blanks that say nothing; one behind a comma may part two numbers (`1, 234`)."""
    one, other = (_BEHIND_COMMA.sub("; ", " ".join(text.split())) for text in (one, other))
    return squeezed(one) == squeezed(other)
