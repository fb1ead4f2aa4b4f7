"""`\\boxed{...}`: the closed boxes of a text, in time linear in the text. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"\\{1,4}f?box(?:ed)?\s*\{|\\.|[{}]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Box:
    """A box that is closed, by positions in its text.

    Attributes:
        start, end: Of the whole box, from its backslash to behind its last brace.
        content: What stands in it.
    """

    start: int
    end: int
    content: str


def boxes(text: str) -> list[Box]:
    """The closed boxes in order; of boxes in one another, the outer one."""
    stack: list[tuple[int, int]] = []  # of every open brace: where its box begins (-1: no box) and its content
    found: list[tuple[int, int, int]] = []
    for token in _TOKEN.finditer(text):
        if len(token[0]) > 2:
            stack.append((token.start(), token.end()))
        elif token[0] == "{":
            stack.append((-1, -1))
        elif token[0] == "}" and stack:
            start, begin = stack.pop()
            if start >= 0:
                while found and found[-1][0] > start:
                    found.pop()
                found.append((start, begin, token.start()))
    return [Box(start, end + 1, text[begin:end]) for start, begin, end in found]


def last_boxed(text: str) -> str | None:
    """What stands in the last box that is closed (of boxes in one another, the outer one); None where there is none."""
    closed = boxes(text)
    return closed[-1].content if closed else None


def last_open(text: str) -> str | None:
    """What stands behind the last box that is never closed; None where there is none."""
    last = None
    for token in _TOKEN.finditer(text):
        if len(token[0]) > 2:
            last = token.end()
    return None if last is None else text[last:]
