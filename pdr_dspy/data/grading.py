"""Graders: is this output right for this problem?

Each is cheap where it can be: text that matches and integers are compared here, at once; only what is left goes to
`math-verify`, in worker processes with a time limit (see `mathpool`). A grader reads one output field and grades
`str()` of it, so the field may be typed (`int`, a pydantic model with a `__str__`). Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pdr_dspy.data import mathtext
from pdr_dspy.data.mathpool import MathPool, shared_pool
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.worksheets import worksheet_correct
from pdr_dspy.errors import DataError


@dataclass(frozen=True)
class Verdict:
    """A grader's word. True where the output is right.

    Attributes:
        correct: Whether the output is right.
        failure: Why nothing could be graded (`grader`: time limit or crash; `missing`: no such field), or None.
        detail: In words.
    """

    correct: bool
    failure: str | None = None
    detail: str = ""

    def __bool__(self) -> bool:
        return self.correct


@runtime_checkable
class Grader(Protocol):
    """Judges one problem's outputs. A plain `bool` is as good as a `Verdict`."""

    @property
    def name(self) -> str:
        """Goes into the data set's fingerprint: another name for another way to judge."""
        ...

    async def grade(self, problem: Problem, outputs: Mapping[str, Any]) -> Verdict | bool:
        """Whether `outputs` (field name to value) solve `problem`."""
        ...


Judge = Callable[[Problem, str], Awaitable[Verdict]]


@dataclass(frozen=True)
class FieldGrader:
    """Grades `str()` of one output field with `judge`."""

    name: str
    field: str
    judge: Judge
    needs_answer: bool = True

    async def grade(self, problem: Problem, outputs: Mapping[str, Any]) -> Verdict:
        """Judge the field; an output without it is wrong, and says so."""
        value = outputs.get(self.field)
        if value is None:
            given = ", ".join(outputs) or "nothing"
            return Verdict(False, "missing", f"the program gave no {self.field!r} (it gave: {given})")
        return await self.judge(problem, str(value))


async def _exact(problem: Problem, text: str) -> Verdict:
    return Verdict(" ".join(text.split()) == " ".join(_reference(problem).split()))


async def _worksheet(problem: Problem, text: str) -> Verdict:
    # A worksheet has one input; its name is the user's.
    return Verdict(worksheet_correct("\n".join(problem.inputs.values()), text))


@dataclass(frozen=True)
class _Math:
    """Mathematically equal: matching text, then integers, then math-verify."""

    pool: MathPool | None = None

    async def __call__(self, problem: Problem, text: str) -> Verdict:
        reference = _reference(problem)
        quick = mathtext.quick_compare(reference, text)
        if quick is not None:
            return Verdict(quick)
        reply = await (self.pool or shared_pool()).verify(mathtext.wrapped(reference), mathtext.wrapped(text))
        return Verdict(reply.equal, "grader" if reply.problem else None, reply.problem)


GRADERS = ("exact", "math", "integer", "worksheet")


def make_grader(kind: str, field: str = "answer", pool: MathPool | None = None) -> FieldGrader:
    """A grader by name, for one output field.

    `exact`: same text, whitespace aside. `math`: mathematically equal, the last `\\boxed{}` if there is one.
    `integer`: as `math`, for references that are integers (AIME). `worksheet`: solves every line of a worksheet.

    Args:
        kind: One of `GRADERS`.
        field: The output field to grade.
        pool: Workers for math-verify; default: one pool for the process.

    Raises:
        DataError: an unknown name.
    """
    match kind:
        case "exact":
            return FieldGrader(kind, field, _exact)
        case "math" | "integer":
            return FieldGrader(kind, field, _Math(pool))
        case "worksheet":
            return FieldGrader(kind, field, _worksheet, needs_answer=False)
    raise DataError("grader", f"there is no grader {kind!r}", f"Use one of {', '.join(GRADERS)}.")


def _reference(problem: Problem) -> str:
    if problem.answer is None:
        raise DataError("answer", f"problem {problem.id} has no reference answer", "Name the column that holds it.")
    return problem.answer
