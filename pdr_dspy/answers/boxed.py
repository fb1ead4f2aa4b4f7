"""`\\boxed{...}`: the last one in a text whose braces balance, in time linear in the text. Pure."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\{1,4}f?box(?:ed)?\s*\{|\\.|[{}]", re.DOTALL)


def last_boxed(text: str) -> str | None:
    """What stands in the last box that is closed (of boxes in one another, the outer one); None where there is none."""
    stack: list[int] = []  # for every open brace where its box's content begins, or -1 for another brace
    found: tuple[int, int] | None = None
    for token in _TOKEN.finditer(text):
        if len(token[0]) > 2:
            stack.append(token.end())
        elif token[0] == "{":
            stack.append(-1)
        elif token[0] == "}" and stack:
            begin = stack.pop()
            if begin >= 0:
                found = (begin, token.start())
    return text[found[0] : found[1]] if found else None
