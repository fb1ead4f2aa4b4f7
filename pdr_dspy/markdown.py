"""Texts of others within Markdown: shown as they are, never as markup. Pure."""

from __future__ import annotations

import re

_MARKUP = re.compile(r"[\\`*_\[\]<>#|~&!]")
_TICKS = re.compile(r"`+")


def plain(text: str) -> str:
    """A text in one line that Markdown shows as it is."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", " ".join(text.split("\n")))


def fenced(text: str, language: str = "") -> str:
    """A text of several lines as code; no line of it ends the block."""
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
