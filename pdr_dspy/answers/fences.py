"""A text that is one fenced block (three backticks before and behind it), in time linear in the text. Pure."""

from __future__ import annotations

import re

_MARK = "```"
_OPENING = re.compile(r"```[\w+-]*")


def fenced(text: str, *, one_line: bool = False) -> str | None:
    """What stands between the fences; None where the text is anything but one block.

    A pattern would try every line break of a long run of them as the first one, with every end.

    Args:
        text: The text; white space around the fences has to be taken away before.
        one_line: Whether the block may begin on the line of its fence.
    """
    opening = _OPENING.match(text)
    if opening is None or not text.endswith(_MARK) or len(text) - len(_MARK) < opening.end():
        return None
    body = text[opening.end() : -len(_MARK)]
    blank = body[: len(body) - len(body.lstrip())]
    if "\n" not in blank and not one_line:
        return None
    return body[blank.rfind("\n") + 1 :].rstrip()
