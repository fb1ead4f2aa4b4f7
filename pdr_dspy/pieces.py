"""A text in the pieces in which it is streamed: a word each, with the space before it. Pure."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")


def pieces(text: str) -> list[str]:
    """The pieces, which together are the text; at least one."""
    return _PIECE.findall(text) or [""]
