"""Which grader fits a data set, by its references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pdr_dspy.answers import read
from pdr_dspy.answers.choices import offered
from pdr_dspy.answers.nodes import Group, Named, Node, Scalar, Words
from pdr_dspy.data.problem import Problem

_MOST = 0.98
"""The share of references that have to fit; the others are told."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A kind of grader, and why in a sentence."""

    kind: str
    why: str


def guess(problems: Sequence[Problem]) -> Guess:
    """The grader that fits the references of a data set.

    Args:
        problems: With their references; those without one are passed over.
    """
    graded = [problem for problem in problems if problem.answer is not None]
    if not graded:
        return Guess("math", "there are no reference answers to go by")
    if several := [problem for problem in graded if problem.answers]:
        if all(problem.right != problem.answers for problem in several):
            return Guess("all", "some problems have several answers that are wanted together")
        return Guess("any", "some problems have several right answers")
    sorts = Counter(_sort(problem) for problem in graded)
    total = sum(sorts.values())

    def fit(*names: str) -> bool:
        return sum(sorts[name] for name in names) >= _MOST * total

    if fit("option"):
        return Guess("choice", _why(sorts, total, "name one of the problem's options", "option"))
    if fit("letter"):
        return Guess("choice", _why(sorts, total, "are the letter of an option", "letter"))
    if fit("integer"):
        return Guess("integer", _why(sorts, total, "are integers", "integer"))
    if fit("integer", "number"):
        return Guess("number", _why(sorts, total, "are numbers", "integer", "number"))
    if fit("words", "letter") and sorts["words"]:
        return Guess("words", _why(sorts, total, "are words", "words", "letter"))
    counted = ", ".join(f"{count} {_PLURAL[sort]}" for sort, count in sorts.most_common())
    return Guess("math", f"the references are of several kinds or mathematical expressions ({counted})")


_PLURAL = {
    "option": "options", "letter": "letters", "integer": "integers", "number": "numbers", "words": "in words",
    "other": "expressions",
}  # fmt: skip


def _sort(problem: Problem) -> str:
    given = read(problem.answer or "")
    if problem.options and offered(given.letters, len(problem.options)):
        return "option"
    if given.letters and max(given.letters) <= "J" and given.letters.isupper() and given.text.strip("()[]. ").isupper():
        return "letter"
    return _sort_of(given.node)


def _sort_of(node: Node) -> str:
    if isinstance(node, Scalar) and node.value is not None:
        return "integer" if node.value.denominator == 1 and node.unit is None else "number"
    if isinstance(node, Words):
        return "words"
    if isinstance(node, Group | Named):
        inner = {_sort_of(item) for item in (node.items if isinstance(node, Group) else [node.value])}
        return "words" if inner == {"words"} else "other"
    return "other"


def _why(sorts: Counter[str], total: int, are: str, *names: str) -> str:
    count = sum(sorts[name] for name in names)
    return f"all {total} references {are}" if count == total else f"{count} of {total} references {are}"
