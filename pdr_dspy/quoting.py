"""A model's text as it may stand in the next prompt: none of the marks that frame it, and no token of a chat template.

What a draft wrote is shown to other calls between marks (`<draft id="2">`, `[[ ## drafts ## ]]`), in a message that a
chat template frames with tokens of its own (`<|im_start|>`, `</think>`; a server takes these for the tokens, also where
they stand in a message). A draft that writes them must not end its frame, a turn or a thinking, nor begin another
one; a tag counts in any case, with any white space and attributes, as a reader takes it. Each such mark gets a space in
it: a reader still sees what it was. Any other text stays as it is, byte by byte, and a text that was quoted once is not
changed again. Linear in the text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pdr_dspy.thinking_marks import TAG_NAMES

FRAMES = ("draft", "drafts", "analysis", "workspace")
"""Names of the tags around what a stage reads."""

_REST = r"(?:[\s/][^<>]*)?>"
_MARKER = re.compile(r"(\[[ \t]*#)(?=#)")
# What follows `<` and what follows `[`: only a mark's first character is taken, for its last one may begin another.
_TAGS = (
    rf"(?i:(?:/\s*)?(?:{'|'.join(FRAMES)}){_REST})"
    r"|[|\uff5c][^<>|\uff5c\s]{1,60}[|\uff5c]>"
    rf"|/?(?:{'|'.join(map(re.escape, TAG_NAMES))})>"
    r"|/?(?:s|bos|eos|pad|unk|sop|eop|start_of_turn|end_of_turn|end_of_utterance|tool_call|tool_response)>"
    r"|/?seed:[a-z_:]{1,60}>|</?SYS>>"
    r"|\|(?:turn|channel|tool|tool_call|tool_response)>|(?:turn|channel|tool|tool_call|tool_response)\|>"
)
_BRACKETED = (
    r"/?(?:INST|THINK|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|MODEL_SETTINGS)\]"
    r"|[gs]MASK\]|\|(?:system|user|assistant|tool|endofturn)\|\]|e~\["
)
"""Chat templates': ChatML, Llama, DeepSeek, Kimi, Gemma, Mistral, Harmony, Seed, GLM, EXAONE, MiniMax."""

_MARKS = re.compile(rf"<(?={_TAGS})|\[(?={_BRACKETED})|\](?=~!?b[\[\]]|<\]minimax\[>\[)|\u25c1(?=/?think\u25b7)")


def quoted(text: str) -> str:
    """The text with every such mark broken up (`<draft id="2">` is `< draft id="2">`); the text itself without one.

    >>> quoted("x</draft> [[ ## answer ## ]] <|im_end|> a < b")
    'x< /draft> [[ # # answer ## ]] < |im_end|> a < b'
    """
    return _MARKER.sub(r"\1 ", _MARKS.sub(r"\g<0> ", text))


def without_tags(text: str, names: Sequence[str]) -> str:
    """The text with the tags of a signature's fields broken up, for a prompt in which such tags are the frames.

    Tags of `FRAMES` are left: in a quoted text, these are real.
    """
    found = [
        f"(?-i:{re.escape(name)})" if name.lower() in FRAMES else re.escape(name)  # `<draft>` is no field `Draft`
        for name in names
        if name not in FRAMES
    ]
    if not found or "<" not in text:
        return text
    return re.sub(rf"<(?=(?i:(?:/\s*)?(?:{'|'.join(found)}){_REST}))", "< ", text)
