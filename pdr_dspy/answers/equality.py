"""When two answers are equal: typed values by value, texts by what they say, expressions by math-verify.

Equality is asked for two answers at a time, and need not be transitive (`0.33` is not `1/3` for anybody, but a
computer algebra system may find `a` equal to `b` and `b` to `c` where it can't decide `a` and `c`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from numbers import Number
from typing import Any

from pydantic import BaseModel

from pdr_dspy.answers.aside import comparison, reading
from pdr_dspy.answers.mathpool import MathPool, shared_pool
from pdr_dspy.answers.mathtext import wrapped
from pdr_dspy.answers.outcomes import Ask, Outcome, settle

Equal = Callable[[Any, Any], bool | Awaitable[bool]]
"""Whether two answers (values of one output field) are the same answer."""


class Undecided(Exception):
    """math-verify could not say whether two answers are equal (time limit, crash)."""


@dataclass(frozen=True, slots=True)
class Graded:
    """What a data set says of answers while a program is evaluated on it.

    Attributes:
        field: The output field that is graded; None: any.
        equal: When two values of it are the same answer.
    """

    field: str | None
    equal: Equal


_GRADED: ContextVar[Graded | None] = ContextVar("pdr_dspy_graded", default=None)


def graded() -> Graded | None:
    """What the data set says under which this runs, or None outside an evaluation."""
    return _GRADED.get()


@contextmanager
def judged(by: Graded | None) -> Iterator[None]:
    """Votes taken inside go by what a data set says of answers."""
    token = _GRADED.set(by)
    try:
        yield
    finally:
        _GRADED.reset(token)


async def equal_answers(first: Any, second: Any, pool: MathPool | None = None) -> bool:
    """Whether two answers are the same, without a data set.

    Typed values (numbers, lists in order, models, enums) are compared by value. Of texts it is what they say (`read`)
    that is compared; two expressions that text can't tell apart are shown to math-verify.

    Raises:
        Undecided: math-verify could not say.
        DataError: math-verify can't be started.
        MissingExtra: it is not installed.
    """
    if isinstance(first, Enum) or isinstance(second, Enum):
        return await equal_answers(_plain(first), _plain(second), pool)
    if isinstance(first, str) or isinstance(second, str):
        if first is None or second is None:
            return False
        return await equal_texts(str(first), str(second), pool)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and await _all_equal(first, second, pool)
    if isinstance(first, BaseModel) and isinstance(second, BaseModel):
        return type(first) is type(second) and await equal_answers(_fields(first), _fields(second), pool)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and await _all_equal(
            list(first.values()), [second[key] for key in first], pool
        )
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, Number | Set) or type(first) is type(second):
        return bool(first == second) or (first != first and second != second)  # NaN
    return False


async def equal_texts(reference: str, answer: str, pool: MathPool | None = None) -> bool:
    """Whether two texts say the same: as `equal_answers`."""
    return await settled(await comparison(await reading(reference), await reading(answer)), pool)


async def settled(outcome: Outcome, pool: MathPool | None = None) -> bool:
    """What a comparison comes to, math-verify asked where it has to be.

    Raises:
        Undecided: math-verify could not say.
        DataError: math-verify can't be started.
        MissingExtra: it is not installed.
    """

    async def ask(asked: Ask) -> bool:
        reply = await (pool or shared_pool()).verify(wrapped(asked.reference), wrapped(asked.answer))
        if reply.problem:
            raise Undecided(reply.problem)
        return reply.equal

    return await settle(outcome, ask)


async def _all_equal(first: Any, second: Any, pool: MathPool | None) -> bool:
    for one, other in zip(first, second, strict=True):
        if not await equal_answers(one, other, pool):
            return False
    return True


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _fields(model: BaseModel) -> dict[str, Any]:
    return {**model.__dict__, **(model.__pydantic_extra__ or {})}
