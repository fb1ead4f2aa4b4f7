"""Lists of Markdown: the items of a bulleted or numbered list as lines of their own. Linear; pure."""

from __future__ import annotations

import re

_BULLET = re.compile(r"[ \t]*([-*+\u2022\u25e6\u2013])[ \t]+(?=\S)")
_NUMBER = re.compile(r"[ \t]*(?:\*\*)?\(?([0-9]{1,3})([.)])(?:\*\*)?[ \t]+(?=\S)")
_BEFORE = re.compile(r".*[:\uff1a][*_]{0,3}\s*|#{1,6} .*", re.DOTALL)
_ITEM = 200


def listed(text: str) -> str | None:
    """The items of the list that a text is or ends in, without their signs, a line each; None where it is no list.

    A list has two items at least, and nothing before it but a heading, or what ends in a colon. Numbers of items go
    up from 1.

    >>> listed("The roots are:\\n\\n- 1\\n- 2"), listed("1. 5\\n2. 7"), listed("-1\\n-2"), listed("2. 5\\n1. 7")
    ('1\\n2', '5\\n7', None, None)
    """
    lines = [line for line in text.split("\n") if line.strip()]
    for signs in (_bulleted, _numbered):
        items = signs(lines)
        if len(items) > 1 and all(len(item) <= _ITEM for item in items):
            head = lines[: len(lines) - len(items)]
            if len(head) <= 1 and all(_BEFORE.fullmatch(line) for line in head):
                return "\n".join(items)
    return None


def single(text: str) -> str:
    """A text that begins on a line of its own with a bullet, without that: `- 5` below "The answer is:"."""
    stripped = text.lstrip(" \t*_")
    if not stripped.startswith("\n"):
        return text
    line = stripped.strip()
    return line[bullet.end() :] if (bullet := _BULLET.match(line)) and "\n" not in line else text


def _bulleted(lines: list[str]) -> list[str]:
    items: list[str] = []
    sign = ""
    for line in reversed(lines):
        found = _BULLET.match(line)
        if found is None or (sign and found[1] != sign):
            break
        sign = found[1]
        items.insert(0, line[found.end() :].strip())
    return items


def _numbered(lines: list[str]) -> list[str]:
    items: list[str] = []
    numbers: list[int] = []
    for line in reversed(lines):
        found = _NUMBER.match(line)
        if found is None or (numbers and int(found[1]) != numbers[0] - 1):
            break
        numbers.insert(0, int(found[1]))
        items.insert(0, line[found.end() :].strip())
    return items if numbers[:1] == [1] else []
