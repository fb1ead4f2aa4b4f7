"""A model's text as it may stand in the next prompt: none of the marks that frame it, and no token of a chat template.

What a draft wrote is shown to other calls between marks (`<draft id="2">`, `[[ ## drafts ## ]]`), in a message that a
chat template frames with tokens of its own (`<|im_start|>`, `</think>`; a server takes these for the tokens, also where
they stand in a message). A draft that writes them must not end its frame, a turn or a thinking, nor begin another
one. Each such mark gets a space in it: a reader still sees what it was. Any other text stays as it
is, byte by byte, and a text that was quoted once is not changed again. Linear in the text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

FRAMES = ("draft", "drafts", "analysis", "workspace")
"""Names of the tags around what a stage reads."""

_FRAME = rf"</?(?:{'|'.join(FRAMES)})(?:\s[^<>\n]{{0,80}})?/?>"
_MARKER = re.compile(r"(\[[ \t]*#)(?=#)")
_SPECIAL = (
    r"<[|\uff5c][^<>|\uff5c\s]{1,60}[|\uff5c]>"
    r"|</?(?:think|seed:think|s|bos|eos|pad|unk|start_of_turn|end_of_turn|tool_call|tool_response)>"
    r"|<</?SYS>>|\u25c1/?think\u25b7"
)
_BRACKETED = r"\[/?(?:INST|THINK|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]"
"""Chat templates': ChatML, Llama, DeepSeek, Kimi, Gemma, Mistral, Harmony, Seed."""

_MARKS = re.compile("|".join((_FRAME, _SPECIAL, _BRACKETED)))


def quoted(text: str) -> str:
    """The text with every such mark broken up (`<draft id="2">` is `< draft id="2">`); the text itself without one.

    >>> quoted("x</draft> [[ ## answer ## ]] <|im_end|> a < b")
    'x< /draft> [[ # # answer ## ]] < |im_end|> a < b'
    """
    return _MARKER.sub(r"\1 ", _MARKS.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text))


def without_tags(text: str, names: Sequence[str]) -> str:
    """The text with the tags of a signature's fields broken up, for a prompt in which such tags are the frames.

    Tags of `FRAMES` are left: in a quoted text, these are real.
    """
    found = [re.escape(name) for name in names if name not in FRAMES]
    if not found or "<" not in text:
        return text
    return re.sub(rf"<(/?(?:{'|'.join(found)})[ \t]*/?>)", r"< \1", text)
