"""Reference answers out of what a column holds: lists of several, worked solutions, plain text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pdr_dspy.answers import read
from pdr_dspy.answers.boxed import last_boxed
from pdr_dspy.answers.nodes import Group, Named, Node, Scalar
from pdr_dspy.data.cells import as_text, is_missing

Several = Literal["any", "all"]
"""Of several answers to one problem: any is right, or all are wanted."""

MARK = "####"


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


def worked(texts: Sequence[str]) -> tuple[list[str], str] | None:
    """The answers at the end of worked solutions, where all of them are such, and how they are marked."""
    marked = [text.rpartition(MARK) for text in texts]
    if all(mark and end.strip() for _, mark, end in marked):
        return [end.strip() for _, _, end in marked], f"what is behind {MARK}"
    boxed = [last_boxed(text) for text in texts]
    found = [inner.strip() for inner in boxed if inner is not None and inner.strip()]
    if len(found) == len(texts) and all(len(text.split()) > 8 for text in texts):
        return found, "what is in the last \\boxed{}"
    return None


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
