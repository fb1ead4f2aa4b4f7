"""Where the fields of a signature stand in a text, in whatever spelling their marks have. Linear in the text; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

COMPLETED = "completed"
"""DSPy's mark behind the last field."""


@dataclass(frozen=True, slots=True)
class Section:
    """One marked field.

    Attributes:
        name: The field.
        text: What stands behind its mark, up to the next one.
        start: Where the mark begins.
        one_line: Whether the mark is a label at the beginning of a line (`Answer: 42`), whose value may end with it.
    """

    name: str
    text: str
    start: int
    one_line: bool


def sections(text: str, names: Sequence[str]) -> list[Section]:
    """The marked fields in their order.

    Args:
        text: What was written.
        names: The signature's output fields.
    """
    found = list(_pattern(tuple(names)).finditer(text))
    by_key = {key_of(name): name for name in names}
    if "answer" in by_key:
        by_key |= dict.fromkeys(_ANSWERS, by_key["answer"])
    made: list[Section] = []
    for i, mark in enumerate(found):
        end = found[i + 1].start() if i + 1 < len(found) else len(text)
        spelling = next(kind for kind in ("bracket", "any", "tag", "heading", "label") if mark[kind] is not None)
        name = by_key.get(key_of(mark[spelling]))
        if name is None or (spelling == "tag" and mark[0].startswith("</")):
            continue  # another field's mark, or a closing tag: it only ends what is before it
        made.append(Section(name, text[mark.end() : end], mark.start(), spelling == "label"))
    return made


_ANSWERS = (
    "ans", "antwort", "r\u00e9ponse", "respuesta", "risposta", "resposta", "\u043e\u0442\u0432\u0435\u0442",
    "\u7b54\u6848", "\u7b54\u3048", "\u56de\u7b54", "\uc815\ub2f5",
)  # fmt: skip
"""What people call the answer."""


def key_of(name: str) -> str:
    """A field's name without what spellings differ in: case, spaces, `final`."""
    key = re.sub(r"[\s_]+", "_", name.strip()).casefold()
    return key.removeprefix("final_").removeprefix("my_") if key not in ("final_", "my_") else key


@lru_cache(maxsize=256)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    spelled = {*names, *(name.replace("_", " ") for name in names), *(_ANSWERS if "answer" in names else ())}
    alternatives = sorted(spelled, key=len, reverse=True)
    known = "|".join(re.escape(each) for each in alternatives)
    final = r"(?:final[ _])?"
    # [[ ## answer ## ]], [## answer ##], [[##answer##]]; any field's ends the one before it
    bracket = (
        rf"\*{{0,3}}\[{{1,2}}[ \t]*\#{{1,3}}[ \t]*(?:(?P<bracket>{final}(?:{known}))|(?P<any>\w{{1,60}}))"
        r"[ \t]*\#{1,3}[ \t]*\]{1,2}\*{0,3}:?"
    )
    # <answer> and </answer>
    tag = rf"</?(?P<tag>{final}(?:{known}))[ \t]*/?>"
    # ## answer ##, ### Final answer:
    heading = (
        rf"^[ \t]*\#{{1,6}}[ \t]+\*{{0,3}}(?P<heading>{final}(?:{known}))"
        r"\*{0,3}[ \t]*\#*[ \t]*:?\*{0,3}[ \t]*(?=$|\n)"
    )
    # Answer: 42, **Answer:** 42, - **Answer**: 42
    lead = r"^[ \t]*(?:[-*\u2022>][ \t]+)?[*_`]{0,3}"
    value = rf"{lead}(?P<label>{final}(?:{known}))[*_`]{{0,3}}[ \t]*[:\uff1a][ \t]*[*_`]{{0,3}}"
    return re.compile("|".join((bracket, tag, heading, value)), re.IGNORECASE | re.MULTILINE)


_GOES_ON = re.compile(r"\s*(?:[-*\u2022]\s|\d+[.):]|\w{1,2}[:.)]\s|[\]}),]|\|)")
_OPENS = re.compile(r"```|\$\$|\\\[|\\\]|\\begin\{|\\end\{|[\[{\]}]")
_PROSE = 4
"""So many words that end with a point are a sentence, and what follows them belongs to the same text."""


def value_lines(text: str, labels: Sequence[str] = (), *, prose: bool = False) -> str:
    """The value at the beginning of a text behind a label: its line, and those that carry it on.

    Carried on is a list (`1. ...`, `B: ...`), a table, or what a bracket, a fence or a display of mathematics has
    opened; else what follows the line is the model talking on. Where the label's own line is empty the value is the
    paragraph below it. A field that holds prose or code goes on to the next label, if it begins with a sentence or
    below its label.

    Args:
        text: What stands behind the label.
        labels: Labels that begin another value.
        prose: Whether the field may hold prose or code.
    """
    own_line = bool(text.split("\n", 1)[0].strip())
    lines = text.strip().split("\n")
    first = lines[0].strip()
    sentence = len(first.split()) >= _PROSE and first.endswith((".", "!", "?", ":"))
    runs_on = prose and (sentence or not own_line)
    kept = [lines[0]]
    still_open = _Open()
    still_open.take(lines[0])
    for line in lines[1:]:
        if any(line.startswith(f"{each}:") for each in labels):
            break
        carried = still_open or runs_on or (_GOES_ON.match(line) if own_line else line)
        if not carried or (not line.strip() and not still_open and not runs_on):
            break
        kept.append(line)
        still_open.take(line)
    return "\n".join(kept).strip()


_STEP = {"[": 1, "{": 1, "]": -1, "}": -1, "\\[": 1, "\\]": -1, "\\begin{": 2, "\\end{": 0}
"""What a mark adds to the depth; the brace behind `begin` and `end` is closed on its own."""


class _Open:
    """What is open behind some lines: a fence, a display, an environment, brackets."""

    def __init__(self) -> None:
        self.fence = self.dollars = False
        self.depth = 0

    def take(self, line: str) -> None:
        """One more line."""
        for mark in _OPENS.findall(line):
            if mark == "```":
                self.fence = not self.fence
            elif mark == "$$":
                self.dollars = not self.dollars
            elif not self.fence:
                self.depth += _STEP[mark]

    def __bool__(self) -> bool:
        return self.fence or self.dollars or self.depth > 0
