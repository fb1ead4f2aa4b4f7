"""The grader of a data set: the one that was asked for, or the one that its references suggest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pdr_dspy.data.grading import FieldGrader, make_grader
from pdr_dspy.data.problem import Problem
from pdr_dspy.errors import DataError


@dataclass(frozen=True)
class Guess:
    """A kind of grader, and why it was taken."""

    kind: str
    why: str


def guess(problems: Sequence[Problem]) -> Guess:
    """The kind that suits the references."""
    if any(problem.options for problem in problems):
        return Guess("exact", "the problems have options")
    return Guess("math", "nothing was said")


def judge(kind: str, field: str, tolerance: str | None) -> FieldGrader:
    """The grader of this kind.

    Raises:
        DataError: an unknown kind, or a tolerance where it has none.
    """
    if tolerance is not None:
        raise DataError("tolerance", f"the grader {kind!r} has none", "Leave out --tolerance.")
    return make_grader(kind, field)
