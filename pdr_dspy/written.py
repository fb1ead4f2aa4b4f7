"""What a model wrote, without what it thought: the marks that models put around their thinking, and behind their turn.

A server without a reasoning parser leaves the thinking in the text. It is never an answer, in whatever spelling
(`thinking_marks`): what stands between the marks is taken away, a closing mark without an opening one (the chat
template wrote that) takes away what is before it, and an opening one at the beginning of a line that is never closed
what is behind it. A mark that the text only speaks of takes nothing away (`mentions`). Linear in the length of the
text. Pure; knows no formats.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pdr_dspy.mentions import Mentions
from pdr_dspy.thinking_marks import AROUND_ANSWERS, pairs_for

_CHANNEL = re.compile(r"(?:<\|start\|>\w*)?<\|channel\|>(\w+)[^<]{0,200}?(?:<\|constrain\|>[^<]{0,40})?<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call)\|>")
_LEAKED = re.compile(r"\Aanalysis(?=[A-Z\s])")
_LEAKED_FINAL = "assistantfinal"
_SPOKEN = re.compile(r"\A\s*Here(?:['\u2019]s| is) my thought process:")
_SPOKEN_END = re.compile(r"Here(?:['\u2019]s| is) my response:")
"""Granite 3.2 says it in words."""

_LOOK = 200  # characters before a mark that say whether it begins something
_ROUNDS = 8

_TURN = re.compile(
    r"<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|<\|endoftext\|>|<\|end_of_text\|>|<\|end_of_turn\|>|<end_of_turn>"
    r"|<\|return\|>|<\uff5cend\u2581of\u2581sentence\uff5c>|<\|END_OF_TURN_TOKEN\|>|<turn\|>|\[\|endofturn\|\]"
)
_ENDINGS = re.compile(r"(?:\s|</s>|<eos>|<\|end\|>|\[/?INST\]|<\|im_start\|>(?:assistant)?)+\Z")
_AROUND = re.compile("|".join(map(re.escape, AROUND_ANSWERS)))


@dataclass(frozen=True, slots=True)
class Parted:
    """A text in two parts, the white space around them taken away.

    Attributes:
        thinking: What was thought, marks left out.
        written: What was written.
    """

    thinking: str
    written: str


@dataclass(frozen=True, slots=True)
class _Marks:
    """The marks that are looked for: by each opening one its closing one, and the other way round."""

    pattern: re.Pattern[str]
    closing: Mapping[str, str]
    opening: Mapping[str, str]
    tags: frozenset[str]

    def named(self, found: str) -> str:
        """A mark that was found as the table spells it: a tag may be written in any case."""
        return found if found in self.closing or found in self.opening else found.lower()


def written(text: str, fields: Collection[str] | None = None) -> str:
    """What a model wrote after, between and before its thinking; "" where all of it is thinking.

    Args:
        text: All it wrote.
        fields: Names of the output fields that it was asked for, where they are known; `<reasoning>` and the like are
            marks of thinking only then, and only where no field has that name.
    """
    return parted(text, fields).written


def written_in(value: str) -> str:
    """What a model wrote in one field's value, which was taken out of what it wrote.

    A thinking may still be in it, marks and all (in a string of JSON); but what it speaks of is no longer told by what
    stood around it, so a closing mark without an opening one is a word of it, and a turn ends behind it alone.
    """
    return parted(value, whole=False).written


def parted(text: str, fields: Collection[str] | None = None, *, whole: bool = True) -> Parted:
    """A text's thinking and what was written; end-of-turn tokens belong to neither.

    Args:
        text: The text.
        fields: As in `written`.
        whole: Whether it is all that a model wrote, and not a value in it.
    """
    marks = _marks(None if fields is None else frozenset(fields))
    thinking: list[str] = []
    for _ in range(_ROUNDS):  # what is left may read otherwise than it did among what was taken away
        before = text.strip()
        thoughts, text = _channels(text)
        more, text = _marked(text, marks, whole)
        thinking += [*thoughts, *more]
        text = without_ends(text, whole=whole).strip()
        if text == before:
            break
    return Parted("\n".join(part.strip() for part in thinking if part.strip()), text)


def has_thinking(text: str, fields: Collection[str] | None = None) -> bool:
    """Whether a text has a mark of thinking in it, in whatever spelling (`fields` as in `written`)."""
    marks = _marks(None if fields is None else frozenset(fields))
    return bool(marks.pattern.search(text) or _CHANNEL.search(text) or _said(text) is not None)


def without_ends(text: str, *, whole: bool = True) -> str:
    """The text up to the token that ends a turn: what a model writes behind it is no part of its answer.

    Args:
        text: The text.
        whole: Whether it is all that a model wrote; a value in it has such tokens at its end, or speaks of them.
    """
    mentions = Mentions(text)
    begin = 0
    kept = text
    end = len(text.rstrip())
    for turn in _TURN.finditer(text):
        if (not whole and turn.end() < end) or mentions.has(turn.start(), turn.end()):
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
    return _bare(kept)


def _bare(text: str) -> str:
    """The text without the marks around an answer."""
    if not _AROUND.search(text):
        return text
    mentions = Mentions(text)
    return _AROUND.sub(lambda mark: mark[0] if mentions.has(mark.start(), mark.end()) else "", text)


def _said(text: str) -> tuple[int, int, int] | None:
    """Where a thinking that no mark begins does, where it ends, and where the answer begins."""
    if _LEAKED.match(text) and _LEAKED_FINAL in text:  # harmony, whose special tokens were left out of the text
        end = text.rindex(_LEAKED_FINAL)
        return len("analysis"), end, end + len(_LEAKED_FINAL)
    if (begun := _SPOKEN.match(text)) and (ended := _SPOKEN_END.search(text, begun.end())):
        return begun.end(), ended.start(), ended.end()
    return None


def _channels(text: str) -> tuple[list[str], str]:
    """Harmony's channels (gpt-oss): thinking is every channel but `final`."""
    if (said := _said(text)) is not None:
        return [text[said[0] : said[1]]], text[said[2] :]
    mentions = Mentions(text)
    found = [mark for mark in _CHANNEL.finditer(text) if not mentions.has(mark.start(), mark.end())]
    if not found:
        return [], text
    thoughts: list[str] = []
    final: list[str] = [text[: found[0].start()]] if text[: found[0].start()].strip() else []
    for i, mark in enumerate(found):
        end = found[i + 1].start() if i + 1 < len(found) else len(text)
        ends = (e.start() for e in _CHANNEL_END.finditer(text, mark.end(), end) if not mentions.has(e.start(), e.end()))
        (final if mark[1] == "final" else thoughts).append(text[mark.end() : next(ends, end)])
    return thoughts, "".join(final)


def _marked(text: str, marks: _Marks, whole: bool) -> tuple[list[str], str]:
    """Thinking between marks, innermost pairs included."""
    thoughts: list[str] = []
    kept: list[str] = []
    closes: list[str] = []  # closing marks of what is open, outermost first
    mentions = Mentions(text)
    found = [(marks.named(mark[0]), mark.start(), mark.end()) for mark in marks.pattern.finditer(text)]
    last = {token: start for token, start, end in found if token in marks.opening and not mentions.quoted(start, end)}
    left = Counter(token for token, _, _ in found)  # from here on
    open_ = Counter[str]()  # of the closing marks in `closes`
    at = line = seen = 0
    begun = -1  # where the last opening mark ends
    for token, start, end in found:
        left[token] -= 1
        opens = token in marks.closing
        if opens or not closes:
            opening = marks.opening.get(token, "")
            if mentions.has(start, end, since=at, closing="" if opens else token, opening=opening):
                continue
        elif mentions.quoted(start, end, since=at):
            continue
        line = text.rfind("\n", seen, start) + 1 or line
        seen = start
        if opens:
            close = marks.closing[token]
            if open_[close] and at == begun and not text[at:start].strip() and left[close] <= open_[close]:
                at = begun = end  # the chat template opened it, and the model as well: one of them is closed
                continue
            before = text[max(line, start - _LOOK) : start]
            begins = _begins(before) and (token not in marks.tags or not before.strip())
            if closes or last.get(close, -1) > start or begins:
                (thoughts if closes else kept).append(text[at:start])
                closes.append(close)
                open_[close] += 1
                at = begun = end
        elif closes and token in closes:
            thoughts.append(text[at:start])
            at = end
            while (closed := closes.pop()) != token:
                open_[closed] -= 1
            open_[token] -= 1
        elif whole:  # the chat template had opened it
            thoughts += [*kept, text[at:start]]
            kept = []
            closes = []
            open_.clear()
            at = end
    (thoughts if closes else kept).append(text[at:])
    return thoughts, "".join(kept)


def _begins(before: str) -> bool:
    """Whether a mark behind this much of its line opens something: as a word of a sentence it is a mention."""
    return not before.strip() or before.rstrip().endswith(("]]", ">", ":")) or before[-1] not in " `'\"(\u201c"


@lru_cache(maxsize=256)
def _marks(fields: frozenset[str] | None) -> _Marks:
    pairs = pairs_for(fields)
    closing = {pair.opening: pair.closing for pair in pairs}
    tags = frozenset(mark for pair in pairs if pair.field for mark in (pair.opening, pair.closing))
    spelled = [f"(?i:{re.escape(m)})" if m in tags else re.escape(m) for pair in closing.items() for m in pair]
    return _Marks(re.compile("|".join(spelled)), closing, {end: begin for begin, end in closing.items()}, tags)
