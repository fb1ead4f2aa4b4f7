"""Graders: is this output right for this problem?

Each is cheap where it can be: text that matches and integers are compared here, at once; only what is left goes to
`math-verify`, in worker processes with a time limit (see `mathpool`). A grader reads one output field and grades
`str()` of it, so the field may be typed (`int`, a pydantic model with a `__str__`). Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pdr_dspy.answers import Graded, equal_answers, mathtext
from pdr_dspy.answers.equality import equal_mathematically
from pdr_dspy.answers.mathpool import MathPool, shared_pool
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.worksheets import same_worksheet, worksheet_correct
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


@runtime_checkable
class Comparing(Protocol):
    """A grader that also says when two answers are the same one. Votes go by it while a program is evaluated.

    Its `field`, where it has one, names the output field whose values it compares.
    """

    async def equal(self, first: Any, second: Any) -> bool:
        """Whether two values of the graded field are the same answer."""
        ...


def graded_by(grader: Grader) -> Graded | None:
    """What votes go by on a data set with this grader: its equality, where it has one."""
    if not isinstance(grader, Comparing):
        return None
    field = getattr(grader, "field", None)
    return Graded(field if isinstance(field, str) else None, grader.equal)


Judge = Callable[[Problem, str], Awaitable[Verdict]]
Same = Callable[[str, str], Awaitable[bool]]


@dataclass(frozen=True)
class FieldGrader:
    """Grades `str()` of one output field with `judge`.

    Attributes:
        name: As a `Grader`'s.
        field: The output field.
        judge: Whether a text is right for a problem.
        needs_answer: Whether it judges by a reference answer.
        same: Whether two texts are the same answer; None: as without a data set (`equal_answers`).
    """

    name: str
    field: str
    judge: Judge
    needs_answer: bool = True
    same: Same | None = None

    async def grade(self, problem: Problem, outputs: Mapping[str, Any]) -> Verdict:
        """Judge the field; an output without it is wrong, and says so."""
        value = outputs.get(self.field)
        if value is None:
            given = ", ".join(outputs) or "nothing"
            return Verdict(False, "missing", f"the program gave no {self.field!r} (it gave: {given})")
        return await self.judge(problem, str(value))

    async def equal(self, first: Any, second: Any) -> bool:
        """Whether two values of the field are the same answer, whatever the problem.

        Raises:
            Undecided: math-verify could not say.
            DataError: math-verify can't be started.
        """
        if self.same is None or first is None or second is None:
            return await equal_answers(first, second)
        return await self.same(str(first), str(second))


async def _exact(problem: Problem, text: str) -> Verdict:
    return Verdict(await _same_text(_reference(problem), text))


async def _same_text(first: str, second: str) -> bool:
    return first.split() == second.split()


async def _same_worksheet(first: str, second: str) -> bool:
    return same_worksheet(first, second)


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

    async def same(self, first: str, second: str) -> bool:
        return await equal_mathematically(first, second, self.pool)


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
            return FieldGrader(kind, field, _exact, same=_same_text)
        case "math" | "integer":
            judge = _Math(pool)
            return FieldGrader(kind, field, judge, same=judge.same)
        case "worksheet":
            return FieldGrader(kind, field, _worksheet, needs_answer=False, same=_same_worksheet)
    raise DataError("grader", f"there is no grader {kind!r}", f"Use one of {', '.join(GRADERS)}.")


def _reference(problem: Problem) -> str:
    if problem.answer is None:
        raise DataError("answer", f"problem {problem.id} has no reference answer", "Name the column that holds it.")
    return problem.answer
