"""Half a character: a surrogate without its other half, as JavaScript leaves one where it cuts a text within an emoji.

Python's strings hold it, UTF-8 does not, so whatever is to be sent, hashed, written or shown would fail. It is replaced
by U+FFFD, one for one, so that positions in a text stay what they are. Pure.
"""

from __future__ import annotations

import re
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")


def whole(text: str) -> str:
    """The text with U+FFFD instead of each half character."""
    return _HALF.sub("\ufffd", text)


def is_whole(text: str) -> bool:
    """Whether there is no half character in a text."""
    return _HALF.search(text) is None


def whole_json(value: Any) -> Any:
    """JSON with whole characters alone, in names and values."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {whole_json(name): whole_json(kept) for name, kept in value.items()}
    return [whole_json(kept) for kept in value] if isinstance(value, list | tuple) else value
