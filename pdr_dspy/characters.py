"""Half a character: a surrogate without its other half, as JavaScript leaves one where it cuts a text within an emoji.

Python's strings hold it, UTF-8 does not, so whatever is to be sent, hashed, written or shown would fail. It is replaced
by U+FFFD, one for one, so that positions in a text stay what they are. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
    return with_texts(value, whole)


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """JSON whose texts, names and values, are changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {with_texts(name, change): with_texts(kept, change) for name, kept in value.items()}
    return [with_texts(kept, change) for kept in value] if isinstance(value, list | tuple) else value
