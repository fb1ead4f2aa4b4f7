"""What is not worth asking a computer algebra system. Pure, linear in the text, the same on every machine."""

from __future__ import annotations

import re

LONGEST = 2_000
"""Characters."""
DEEPEST = 50
"""Brackets within each other."""
PARTS = 100
"""Items of a list, parts of a union."""
DIGITS = 1_000
"""Of one number. Python refuses to read an integer of more than 4300."""

_NUMBER = re.compile(rf"[0-9]{{{DIGITS + 1}}}")
_SEPARATORS = re.compile(r"[,;&]|\\(?:cup|cap|pm|mp)(?![A-Za-z])|(?<![A-Za-z])(?:and|or)(?![A-Za-z])")
_BRACKETS = re.compile(r"[({\[]|[)}\]]")


def refusal(text: str) -> str:
    """Why a text is not looked at, "" where it is: `too long`, `too many digits`, `too many parts`, `too deep`."""
    if len(text) > LONGEST:
        return "too long"
    if _NUMBER.search(text):
        return "too many digits"
    if sum(1 for _ in _SEPARATORS.finditer(text)) >= PARTS:
        return "too many parts"
    depth = deepest = 0
    for bracket in _BRACKETS.finditer(text):
        depth = depth + 1 if bracket[0] in "({[" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return "too deep" if deepest > DEEPEST else ""
