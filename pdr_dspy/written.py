"""What a model wrote, without what it thought: the marks that models put around their thinking, and behind their turn.

A server without a reasoning parser leaves the thinking in the text. It is never an answer, in whatever spelling: what
stands between the marks is taken away, a closing mark without an opening one (the chat template wrote that) takes away
what is before it, and an opening one at the beginning of a line that is never closed what is behind it. A mark that a
sentence mentions takes nothing away: one in quotes of its own (`</think>`), and but for a closing mark one between two
words. A closing mark between words most often ends a thinking in the middle of a line, and a thinking that is taken
for an answer is worse than a sentence that is lost. Linear in the length of the text. Pure; knows no formats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PAIRS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
)
"""Qwen, DeepSeek and most others; Magistral; Seed-OSS; Kimi; Command A."""

_MARK = re.compile("|".join(re.escape(mark) for pair in _PAIRS for mark in pair))
_OPENING = dict(_PAIRS)
_CLOSING = frozenset(_OPENING.values())

_CHANNEL = re.compile(r"(?:<\|start\|>\w*)?<\|channel\|>(\w+)[^<]{0,200}?<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call)\|>")
_LEAKED = re.compile(r"\Aanalysis(?=[A-Z\s])")
_LEAKED_FINAL = "assistantfinal"

_LOOK = 200  # characters before a mark that say whether it begins something

_TURN = re.compile(
    r"<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|<\|endoftext\|>|<\|end_of_text\|>|<\|end_of_turn\|>|<end_of_turn>"
    r"|<\|return\|>|<\uff5cend\u2581of\u2581sentence\uff5c>|<\|END_OF_TURN_TOKEN\|>"
)
_ENDINGS = re.compile(r"(?:\s|</s>|<eos>|<\|end\|>|\[/?INST\]|<\|im_start\|>(?:assistant)?)+\Z")


_QUOTED = (re.compile(r"(?:\A|[\s(])([`'\"\u201c\u2018])\Z"), re.compile(r"([`'\"\u201d\u2019])(?!\w)"))
_PAIRED = dict(zip("`'\"\u201c\u2018", "`'\"\u201d\u2019", strict=True))
"""A mark in quotes of its own: before it a quote that begins (one that ends has a word before), behind it its pair."""
_BETWEEN_WORDS = (re.compile(r"[\w,;:] \Z"), re.compile(r" [a-z(]|[,.;:?!](?: [a-z(]|\s|\Z)"))
"""What stands before and behind a mark that is mentioned. A capital behind it begins what a model says at last."""


@dataclass(frozen=True, slots=True)
class Parted:
    """A text in two parts, the white space around them taken away.

    Attributes:
        thinking: What was thought, marks left out.
        written: What was written.
    """

    thinking: str
    written: str


def written(text: str) -> str:
    """What a model wrote after, between and before its thinking; "" where all of it is thinking."""
    return parted(text).written


def parted(text: str) -> Parted:
    """A text's thinking and what was written; end-of-turn tokens belong to neither."""
    thoughts, rest = _channels(text)
    more, rest = _marked(rest)
    thinking = "\n".join(part.strip() for part in (*thoughts, *more) if part.strip())
    return Parted(thinking, without_ends(rest).strip())


def has_thinking(text: str) -> bool:
    """Whether a text has a mark of thinking in it, in whatever spelling."""
    return bool(_MARK.search(text) or _CHANNEL.search(text) or (_LEAKED.match(text) and _LEAKED_FINAL in text))


def without_ends(text: str) -> str:
    """The text up to the token that ends a turn: what a model writes behind it is no part of its answer."""
    begin = 0
    kept = text
    for turn in _TURN.finditer(text):
        if _mentioned(text, turn):
            continue
        if text[begin : turn.start()].strip():
            kept = text[begin : turn.start()]
            break
        begin = turn.end()  # nothing before it: it ended some other turn
    else:
        kept = text[begin:]
    end = len(kept.rstrip())
    if kept[max(0, end - 20) : end].endswith(("</s>", "<eos>", "<|end|>", "INST]", "<|im_start|>", "assistant")):
        kept = kept[: end - 400 if end > 400 else 0] + _ENDINGS.sub("", kept[end - 400 if end > 400 else 0 :])
    return kept


def _channels(text: str) -> tuple[list[str], str]:
    """Harmony's channels (gpt-oss): thinking is every channel but `final`."""
    if _LEAKED.match(text) and _LEAKED_FINAL in text:  # its special tokens were left out of the text
        before, _, after = text.rpartition(_LEAKED_FINAL)
        return [before.removeprefix("analysis")], after
    found = list(_CHANNEL.finditer(text))
    if not found:
        return [], text
    thoughts: list[str] = []
    final: list[str] = [text[: found[0].start()]] if text[: found[0].start()].strip() else []
    for i, mark in enumerate(found):
        body = text[mark.end() : found[i + 1].start() if i + 1 < len(found) else len(text)]
        body = _CHANNEL_END.split(body, maxsplit=1)[0]
        (final if mark[1] == "final" else thoughts).append(body)
    return thoughts, "".join(final)


def _marked(text: str) -> tuple[list[str], str]:
    """Thinking between marks, innermost pairs included."""
    thoughts: list[str] = []
    kept: list[str] = []
    closes: list[str] = []  # closing marks of what is open, outermost first
    last = {close: text.rfind(close) for close in _OPENING.values()}
    at = line = seen = 0
    for mark in _MARK.finditer(text):
        token, start = mark[0], mark.start()
        if (token in _OPENING or not closes) and _mentioned(text, mark):
            continue
        line = text.rfind("\n", seen, start) + 1 or line
        seen = start
        if token in _OPENING:
            if closes or last[_OPENING[token]] > start or _begins(text[max(line, start - _LOOK) : start]):
                (thoughts if closes else kept).append(text[at:start])
                closes.append(_OPENING[token])
                at = mark.end()
        elif closes and token in closes:
            thoughts.append(text[at:start])
            at = mark.end()
            while closes.pop() != token:
                pass
        else:  # the chat template had opened it
            thoughts += [*kept, text[at:start]]
            kept = []
            closes = []
            at = mark.end()
    (thoughts if closes else kept).append(text[at:])
    return thoughts, "".join(kept)


def _mentioned(text: str, mark: re.Match[str]) -> bool:
    """Whether a sentence speaks of a mark: it stands in quotes of its own, or between words that belong together.

    It goes by what stands right beside the mark, which nothing that is taken away elsewhere changes.
    """
    before = text[max(0, mark.start() - 2) : mark.start()]
    opened, closed = _QUOTED[0].search(before), _QUOTED[1].match(text, mark.end())
    if opened and closed and _PAIRED[opened[1]] == closed[1]:
        return True
    if mark[0] in _CLOSING:
        return False
    return bool(_BETWEEN_WORDS[0].search(before) and _BETWEEN_WORDS[1].match(text, mark.end()))


def _begins(before: str) -> bool:
    """Whether a mark behind this much of its line opens something: as a word of a sentence it is a mention."""
    return not before.strip() or before.rstrip().endswith(("]]", ">", ":")) or before[-1] not in " `'\"(\u201c"
