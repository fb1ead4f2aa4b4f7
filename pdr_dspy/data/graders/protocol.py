"""What a grader is: it gives a verdict on a program's outputs, and may say when two answers are one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

from pdr_dspy.answers import Graded, equal_answers
from pdr_dspy.data.problem import Problem
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


def graded_by(grader: Grader, problem: Problem | None = None) -> Graded | None:
    """What votes go by on a data set with this grader: its equality, where it has one.

    Args:
        grader: The data set's.
        problem: The one that is voted on; what is asked in it (its options) may say that two answers are one.
    """
    if not isinstance(grader, Comparing):
        return None
    field = getattr(grader, "field", None)
    equal = partial(grader.equal, problem=problem) if isinstance(grader, FieldGrader) else grader.equal
    return Graded(field if isinstance(field, str) else None, equal)


Judge = Callable[[Problem, Any], Awaitable[Verdict]]
Same = Callable[[str, str], Awaitable[bool]]
SameIn = Callable[[str, str, Problem], Awaitable[bool]]


@dataclass(frozen=True)
class FieldGrader:
    """Grades one output field with `judge`.

    Attributes:
        name: As a `Grader`'s.
        field: The output field.
        judge: Whether a value is right for a problem.
        needs_answer: Whether it judges by a reference answer.
        same: Whether two texts are the same answer; None: as without a data set (`equal_answers`).
        same_in: The same within a problem, by what it asks. Its references must not count: votes would be told them.
        typed: Whether `judge` is given the value as the signature types it; else `str()` of it.
    """

    name: str
    field: str
    judge: Judge
    needs_answer: bool = True
    same: Same | None = None
    same_in: SameIn | None = None
    typed: bool = False

    async def grade(self, problem: Problem, outputs: Mapping[str, Any]) -> Verdict:
        """Judge the field; an output without it is wrong, and says so. An empty text answers nothing."""
        value = outputs.get(self.field)
        if value is None:
            given = ", ".join(outputs) or "nothing"
            return Verdict(False, "missing", f"the program gave no {self.field!r} (it gave: {given})")
        if not self.typed and not str(value).strip():
            return Verdict(False)
        return await self.judge(problem, value if self.typed else str(value))

    async def equal(self, first: Any, second: Any, problem: Problem | None = None) -> bool:
        """Whether two values of the field are the same answer, to a problem or to whatever it is.

        Raises:
            Undecided: math-verify could not say.
            DataError: math-verify can't be started.
        """
        if self.same is None or first is None or second is None:
            return await equal_answers(first, second)
        if self.same_in is not None and problem is not None:
            return await self.same_in(str(first), str(second), problem)
        return await self.same(str(first), str(second))


def reference_of(problem: Problem) -> str:
    """The problem's reference answer.

    Raises:
        DataError: it has none.
    """
    if problem.answer is None:
        raise DataError("answer", f"problem {problem.id} has no reference answer", "Name the column that holds it.")
    return problem.answer
