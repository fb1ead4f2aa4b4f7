"""Whether a text speaks of a mark (`</think>`, `<|im_end|>`) or uses it.

A text speaks of a mark that stands in quotes, brackets, bold or code of its own, inside a code span or a quoted string
(JSON's as well), in a fenced block, in a cell of a table, or where the words beside it say so ("the </think> tag"); a
mark that ends no thinking also where it stands between words that belong together. What ends a thinking in the middle
of a line, of a quotation or of a block that was begun in the thinking is used, not spoken of: a thinking that is taken
for an answer is worse than a sentence that is lost. So a span counts only where both its ends look like ends, and a
block only where nothing speaks against it. Linear in the text. Pure; knows no particular mark.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

_FAR_EAST = "\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef"
_BEFORE = re.compile(rf"(?:\A|[\s(\[{{|*_~:=,;/`'\"\u2018\u201c\u00ab\u2013\u2014{_FAR_EAST}-])\Z")
"""What stands before the beginning of a span: no word, no sentence's end, no other mark."""
_BEHIND = re.compile(rf"\Z|[\s)\]}}|*_~:,;/.!?`'\"\u2019\u201d\u00bb\u2013\u2014{_FAR_EAST}-]")

_BRACKETS = (
    ("\u201c", "\u201d"), ("\u2018", "\u2019"), ("\u201e", "\u201c"), ("\u00ab", "\u00bb"), ("\u300c", "\u300d"),
    ("\u300e", "\u300f"), ("(", ")"), ("[", "]"), ("<code>", "</code>"), ("<b>", "</b>"), ("<kbd>", "</kbd>"),
    ("\\texttt{", "}"), ("\\text{", "}"), ("\\verb|", "|"), ('\\"', '\\"'),
)  # fmt: skip
_ALIKE = ("**", "__", "~~", "*", "_", "`", '"', "'")
"""What begins a span and what ends it look the same: between two spans (`"7"</think>"42"`) they stand as well."""
_WRAPPERS = tuple((*pair, True) for pair in _BRACKETS) + tuple((mark, mark, False) for mark in _ALIKE)
_LAYERS = 4
_LOOK = 4000  # characters of a block before a mark
_LINE = 400  # characters of a row on each side of a mark

_RUN = re.compile(r"\\[`\"]|`+|\"|\n")
_FENCE = re.compile(r"(?:^[ \t>]*|(?<=[>\]\u25b7])[ \t]*)(?P<run>`{3,}|~{3,})(?P<info>[^\n`]*)$", re.MULTILINE)
_MOST_FENCES = 128
"""A text with more of them is a loop, and nobody's explanation."""

_BAR = re.compile(r"(?<![<\\])\|(?!>)")
_NOUN = (
    re.compile(r"\b(?:the|a|an|this|that|its|their|closing|opening|ending|special|literal|end|start) \Z", re.I),
    re.compile(r" (?:tag|token|mark|marker|delimiter|symbol|string|element)s?\b", re.I),
)
_BETWEEN_WORDS = (re.compile(r"[\w,;:] \Z"), re.compile(r" [a-z(]|[,.;:?!](?: [a-z(]|\s|\Z)"))
"""What stands before and behind a mark that is mentioned. A capital behind it begins what a model says at last."""


@dataclass(frozen=True, slots=True)
class _Block:
    """A fenced block: where it begins and ends, and whether it can be trusted though a thinking may end in it."""

    start: int
    end: int
    sure: bool


class Mentions:
    """What a text says of marks.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._blocks: tuple[int, list[_Block]] = (-1, [])

    def has(self, start: int, end: int, *, since: int = 0, closing: str = "", opening: str = "") -> bool:
        """Whether the mark between two places is only spoken of.

        Args:
            start, end: Its place.
            since: Where the text begins that is looked at: what is before it was taken away.
            closing: The mark, where it is one that ends a thinking; "" for any other.
            opening: The mark that begins what it ends.
        """
        if self.quoted(start, end, since=since) or self._in_row(start, end) or self._named(start, end):
            return True
        if not closing and _BETWEEN_WORDS[0].search(self._text[max(0, start - 2) : start]):
            return _BETWEEN_WORDS[1].match(self._text, end) is not None
        return self._in_block(start, end, since, closing, opening)

    def quoted(self, start: int, end: int, *, since: int = 0) -> bool:
        """Whether the mark stands in quotes, brackets, bold or code of its own, or in a span with other words."""
        return self._own(start, end, since) or self._in_span(start, end, since)

    def _own(self, start: int, end: int, since: int) -> bool:
        text, bracketed, mark = self._text, False, start
        for _ in range(_LAYERS):
            for left, right, bracket in _WRAPPERS:
                begin = start - len(left)
                if begin >= since and text.startswith(left, begin) and text.startswith(right, end):
                    start, end, bracketed = begin, end + len(right), bracketed or bracket
                    break
            else:
                break
        if bracketed or start == mark:
            return bracketed
        return (start == since or _begins(text, start)) and _BEHIND.match(text, end) is not None

    def _in_span(self, start: int, end: int, since: int) -> bool:
        for spans in self._spans:
            at = bisect_right(spans, (start, len(self._text))) - 1
            if at >= 0 and since <= spans[at][0] and end <= spans[at][1]:
                return True
        return False

    @cached_property
    def _spans(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Code spans and quoted strings, each on one line."""
        text = self._text
        found: dict[str, list[tuple[int, int]]] = {"`": [], '"': []}
        opened: dict[str, tuple[int, str]] = {}
        for run in _RUN.finditer(text):
            if run[0] == "\n":
                opened.clear()
                continue
            if run[0][0] == "\\":
                continue
            begun = opened.pop(run[0][0], None)
            if _begins(text, run.start()):
                if text[run.end() : run.end() + 1].strip():
                    opened[run[0][0]] = (run.start(), run[0])
            elif begun is not None and begun[1] == run[0] and _BEHIND.match(text, run.end()):
                found[run[0][0]].append((begun[0], run.end()))
        return found["`"], found['"']

    def _in_row(self, start: int, end: int) -> bool:
        """Whether the mark stands, as a word of its own, in a row of a table."""
        text = self._text
        if text[max(0, start - 1) : start] not in (" ", "\t") or text[end : end + 1] not in (" ", "\t"):
            return False
        begin = text.rfind("\n", max(0, start - _LINE), start)
        above = text[max(0, begin - _LINE) : max(0, begin)].rpartition("\n")[2].strip()
        below = text.find("\n", end, end + _LINE)
        row = text[begin + 1 : below if below >= 0 else end + _LINE].strip()
        if not (row.startswith("|") and row.endswith("|")):
            return False
        others = [other for other in (above, _below(text, below)) if other.startswith("|")]
        return any(len(_BAR.findall(other)) == len(_BAR.findall(row)) for other in others)

    def _named(self, start: int, end: int) -> bool:
        return bool(_NOUN[0].search(self._text[max(0, start - 12) : start]) and _NOUN[1].match(self._text, end))

    def _in_block(self, start: int, end: int, since: int, closing: str, opening: str) -> bool:
        text = self._text
        block = next((b for b in self._blocks_since(since) if b.start <= start and end <= b.end), None)
        if block is None or not closing:
            return block is not None
        if not block.sure:
            return False
        # Alone, at the end of a line: as a thinking ends that was stopped inside a block.
        before = text[max(block.start, start - _LOOK) : start]
        return before.count(opening) > before.count(closing) or text[end : end + 1] not in ("\n", "\r", "")

    def _blocks_since(self, since: int) -> list[_Block]:
        if self._blocks[0] == since:
            return self._blocks[1]
        found: list[_Block] = []
        begun: re.Match[str] | None = None
        at = bisect_right(self._fences, since - 1, key=lambda fence: fence.start())
        for fence in self._fences[at:]:
            bare = not fence["info"].strip()
            if begun is None or not bare:  # one with a language begins a block, so that no other one was open
                begun = fence
            elif fence["run"].startswith(begun["run"]):
                found.append(_Block(begun.end(), fence.start(), True))
                begun = None
        if begun is not None:  # one block more was begun than ended: which of them, nobody knows
            found = [_Block(block.start, block.end, False) for block in found]
        self._blocks = (since, found)
        return found

    @cached_property
    def _fences(self) -> list[re.Match[str]]:
        found = list(_FENCE.finditer(self._text))
        return found if len(found) <= _MOST_FENCES else []


def _begins(text: str, at: int) -> bool:
    """Whether a span may begin here, for what stands before it."""
    return _BEFORE.search(text[max(0, at - 1) : at]) is not None


def _below(text: str, begin: int) -> str:
    """The line that begins behind this line break."""
    return text[begin + 1 : begin + 1 + _LINE].partition("\n")[0].strip() if begin >= 0 else ""
