"""Reference answers out of what a column holds: lists of several, worked solutions, plain text. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pdr_dspy.answers import read
from pdr_dspy.answers.boxed import boxes
from pdr_dspy.answers.nodes import Group, Named, Node, Scalar
from pdr_dspy.data.cells import as_text, is_missing
from pdr_dspy.data.columns.paths import structure

Several = Literal["any", "all"]
"""Of several answers to one problem: any is right, or all are wanted."""

MARK = "####"
BOX = "\\boxed{}"
_UNBRACED = re.compile(r"\\boxed\s*((?:\\[A-Za-z]+|\{[^{}]*\}|[^\s{}$\\])+)")
_AND = re.compile(r"[\s$.]*(?:[,;]\s*(?:and\b)?|\band\b)[\s$]*-?")
_MINUS = re.compile(r"(?:^|[=$(]|\band|[,;])\s*-\Z")
_LIST = re.compile(r"\s*\[\s*['\"]")
_NUMBER = re.compile(r"([+−-]?)(\d+|\d{1,3}(?:\.\d{3})+)(?:,(\d+))?((?: ?[%€$£°]| [A-Za-z]{1,3})?)")  # noqa: RUF001


def parts(value: Any) -> tuple[str, ...]:
    """The answers in a cell: one, or each of a list (in SQuAD's form, of its `text`); the same text counts once."""
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        value = value["text"]
    if isinstance(value, list):
        kept = [each for each in value if not is_missing(each)]
        if kept and all(isinstance(each, str | int | float) for each in kept):
            return tuple(dict.fromkeys(as_text(each).strip() for each in kept))
    return (as_text(value),)


def meaning(answers: Sequence[Sequence[str]]) -> Several | None:
    """What several answers to one problem mean in this table, or None where there is one each.

    Numbers that differ can't be the same answer, so all of them are wanted, and so are values of one variable and
    tuples of numbers. Anything else is taken as other words for one answer.

    Args:
        answers: Those of each row.
    """
    lists = [given for given in answers if len(given) > 1]
    if not lists:
        return None
    return "all" if all(_different(given) for given in lists) else "any"


def joined(answers: Sequence[str]) -> str:
    """Several answers that are all wanted, as one."""
    return ("; " if any("," in answer for answer in answers) else ", ").join(answers)


@dataclass(frozen=True)
class Worked:
    """Answers at the end of worked solutions.

    Attributes:
        answers: Of each row: what was taken out of it, or the text as it is.
        mark: What marks them.
        how: What they are, in words.
        without: The rows that have no such mark.
        taken: Whether they were taken out: where most rows have the mark.
    """

    answers: tuple[str, ...]
    mark: str
    how: str
    without: tuple[int, ...]
    taken: bool


def worked(texts: Sequence[str]) -> Worked | None:
    """The answers at the end of worked solutions; None where there are no such."""
    marked = [end.strip() if mark else "" for _, mark, end in (text.rpartition(MARK) for text in texts)]
    if any(marked):
        return _taken(texts, marked, MARK, f"what is behind {MARK}")
    found = _taken(texts, [_in_box(text) for text in texts], BOX, f"what is in the last {BOX}")
    return found if found.taken else None  # graders read a box by themselves


def _in_box(text: str) -> str:
    r"""What stands in the last box, with a sign before it; all of the boxes at the end that only commas or "and" are
    between. Also where a box has no braces: `\boxed 5`."""
    closed = boxes(text)
    if not closed:
        bare = _UNBRACED.findall(text)
        return bare[-1].rstrip(".,;:!") if bare else ""
    last = len(closed) - 1
    while last and _AND.fullmatch(text, closed[last - 1].end, closed[last].start):
        last -= 1
    contents = [
        ("-" if _MINUS.search(text[max(0, box.start - 8) : box.start]) else "") + box.content.strip()
        for box in closed[last:]
        if box.content.strip()
    ]
    return joined(contents)


def _taken(texts: Sequence[str], found: Sequence[str], mark: str, how: str) -> Worked:
    without = tuple(row for row, answer in enumerate(found) if not answer)
    taken = 2 * len(without) < len(texts)
    answers = [answer if answer and taken else text for answer, text in zip(found, texts, strict=True)]
    return Worked(tuple(answers), mark, how, without, taken)


def listed(text: str) -> tuple[str, ...]:
    """The texts in a list that is written as text, as tables without lists have it: `["A", "C"]`, `['A', 'C']`; the
    text alone where it is no such list. Lists of numbers may be mathematics, and stay as they are."""
    if not _LIST.match(text):
        return (text,)
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = structure(text)
    texts = [str(each).strip() for each in found] if isinstance(found, list) else []
    if not texts or not all(isinstance(each, str) for each in found) or not all(texts):
        return (text,)
    return tuple(dict.fromkeys(texts))


def with_points(text: str) -> str | None:
    """A number that may have a decimal comma and points between thousands, with a decimal point; None: it is none."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    sign, whole, rest, unit = match.groups()
    return f"{sign}{whole.replace('.', '')}.{rest}{unit}" if rest else text.strip()


def _different(answers: Sequence[str]) -> bool:
    """Whether these are values of one kind, none of them twice."""
    found = [_value(read(answer).node) for answer in answers]
    if None in found:
        return False
    return len({kind for kind, _ in found if kind}) <= 1 and len({value for _, value in found}) == len(found)  # type: ignore[misc]


def _value(node: Node) -> tuple[str, object] | None:
    """What kind of value it is (`x`: one of that variable) and which; None where it is no number or tuple of them."""
    if isinstance(node, Named) and node.symbol:
        inner = _value(node.value)
        return inner and (f"{node.name} {inner[0]}", inner[1])
    if isinstance(node, Group) and node.shape == "(":
        items = [_value(item) for item in node.items]
        return None if None in items else (f"({len(items)})", tuple(item[1] for item in items if item))
    return ("number", node.value) if isinstance(node, Scalar) and node.value is not None and not node.unit else None
