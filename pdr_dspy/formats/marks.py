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
    by_key = {_key(name): name for name in names}
    made: list[Section] = []
    for i, mark in enumerate(found):
        end = found[i + 1].start() if i + 1 < len(found) else len(text)
        spelling = next(kind for kind in ("bracket", "any", "tag", "heading", "label") if mark[kind] is not None)
        name = by_key.get(_key(mark[spelling]))
        if name is None or (spelling == "tag" and mark[0].startswith("</")):
            continue  # another field's mark, or a closing tag: it only ends what is before it
        made.append(Section(name, text[mark.end() : end], mark.start(), spelling == "label"))
    return made


def _key(name: str) -> str:
    key = re.sub(r"[\s_]+", "_", name.strip()).casefold()
    return key.removeprefix("final_").removeprefix("my_") if key not in ("final_", "my_") else key


@lru_cache(maxsize=256)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    alternatives = sorted({name for name in names} | {name.replace("_", " ") for name in names}, key=len, reverse=True)
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


def value_lines(text: str, labels: Sequence[str] = ()) -> str:
    """The value at the beginning of a text behind a label: its line, and those that carry it on.

    Carried on is a list (`1. ...`, `B: ...`), a table, or what a bracket has opened; else what follows the line is the
    model talking on. Where the label's own line is empty the value is the paragraph below it.

    Args:
        text: What stands behind the label.
        labels: Labels that begin another value.
    """
    lines = text.lstrip().split("\n")
    kept = [lines[0]]
    depth = _depth(lines[0])
    for line in lines[1:]:
        if any(line.startswith(f"{each}:") for each in labels):
            break
        if depth <= 0 and (not line.strip() or not _GOES_ON.match(line)):
            break
        kept.append(line)
        depth += _depth(line)
    return "\n".join(kept).strip()


def _depth(line: str) -> int:
    return sum(line.count(c) for c in "[{") - sum(line.count(c) for c in "]}")
