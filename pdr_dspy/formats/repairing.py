"""JSON as models write it, read in time linear in the text: strictly where it is valid, else repaired within a limit.

`json_repair` goes back and forth in a text, for some texts in time that grows with the square of their length, or
worse. What it does is counted, not timed, so that the same text gives the same value on every machine. Pure.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any, SupportsIndex

import json_repair

_LONGEST = 200_000
"""Characters of a text that is repaired at most."""
_DEEPEST = 40
"""Brackets in one another, or left open, at most."""
_STEPS = 8
"""Looks at each character, on average, at most. Mending quotes, commas and comments takes 2 to 4."""
_STEPS_AT_ONCE = 4000
"""Looks that even a short text may take."""
_SLICE = 32
"""Characters of a part that cost as much as a look at one."""
_LONGEST_LITERAL = 20_000
"""Characters of a Python literal at most."""
_BRACKET = re.compile(r"[{}\[\]]")


class _Limit:
    """How many looks are left."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def take(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise ValueError("repairing it takes too long")


class _Counted(str):
    """A text that counts how often it is looked at."""

    limit: _Limit

    @classmethod
    def of(cls, text: str, limit: _Limit) -> _Counted:
        made = cls(text)
        made.limit = limit
        return made

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        found = str.__getitem__(self, key)
        if isinstance(key, slice):
            self.limit.take(1 + len(found) // _SLICE)
            return _Counted.of(found, self.limit)
        self.limit.take(1)
        return found

    def __add__(self, other: str) -> str:
        return _Counted.of(str.__add__(self, other), self.limit)

    def __radd__(self, other: str) -> str:
        return _Counted.of(str.__add__(other, self), self.limit)


def repairable(text: str) -> bool:
    """Whether a text is one that a JSON value can be looked for in, in reasonable time."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth = depth + 1 if bracket in "{[" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest <= _DEEPEST and len(text) <= _LONGEST


def repaired(text: str) -> Any:
    """The JSON value that a text is, or is meant to be; "" where there is none in it.

    Raises:
        ValueError: it is too long or too deep to be repaired, or repairing it takes too long.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if not repairable(text):
        raise ValueError("too long or too deep to be repaired")
    counted = _Counted.of(text, _Limit(_STEPS_AT_ONCE + _STEPS * len(text)))
    return _plain(json_repair.loads(counted, skip_json_loads=True))


def python_literal(text: str) -> Any:
    """The Python literal that a text is.

    Raises:
        ValueError: it is none, or too long or too deep.
    """
    if len(text) > _LONGEST_LITERAL:
        raise ValueError("too long for a literal")
    try:
        return ast.literal_eval(text)
    except (SyntaxError, RecursionError, MemoryError, TypeError) as error:  # MemoryError: too deep for Python's parser
        raise ValueError(f"no literal ({type(error).__name__})") from None


def _plain(value: Any) -> Any:
    """A value without counted texts."""
    if isinstance(value, str):
        return str.__str__(value) if type(value) is str else "".join(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
