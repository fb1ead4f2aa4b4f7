"""When two answers are equal, without a data set."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

from pdr_dspy.answers import Undecided, equal_answers
from pdr_dspy.answers.mathpool import MathPool, Reply


class NoPool(MathPool):
    """One that must not be asked."""

    async def verify(self, reference: str, answer: str) -> Reply:
        raise AssertionError(f"asked about {reference} and {answer}")


class Slow(MathPool):
    """One that never decides."""

    async def verify(self, reference: str, answer: str) -> Reply:
        return Reply(False, "grader timeout")


class Colour(Enum):
    """One of two."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """Typed output."""

    x: int
    name: str = ""


class Other(BaseModel):
    """Of the same fields."""

    x: int
    name: str = ""


def equal(first: Any, second: Any, pool: MathPool | None = None) -> bool:
    return asyncio.run(equal_answers(first, second, pool or NoPool()))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (r"\frac12", "0.5", True), ("B", "(B)", True), ("1,000", "1000", True), ("1", "2", False),
        ("0.33", "1/3", False),
        ("Paris", "paris.", True), ("Paris", "London", False), ("Paris", "7", False), ("B", "C", False),
        (1, 1.0, True), (1, 2, False), (1, "1", True), (0.5, "1/2", True), (True, 1, False), (True, True, True),
        (float("nan"), float("nan"), True), (None, None, True), (None, "", False), (None, 0, False),
        ([1, 2], [1, 2], True), ([1, 2], [2, 1], False), ([1, 2], [1], False), (["1/2"], ["0.5"], True),
        ((1, [2]), [1, [2]], True), ({1, 2}, {2, 1}, True), ({"a": "1.0"}, {"a": "1"}, True),
        ({"a": 1}, {"b": 1}, False),
        (Colour.RED, Colour.RED, True), (Colour.RED, Colour.BLUE, False), (Colour.RED, "red", True),
        (Point(x=1, name="A"), Point(x=1, name="a"), True), (Point(x=1), Point(x=2), False),
        (Point(x=1), Other(x=1), False), (Point(x=1), None, False),
    ],
)  # fmt: skip
def test_values_and_spellings_are_compared_without_asking_math_verify(first: Any, second: Any, same: bool) -> None:
    assert equal(first, second) is same
    assert equal(second, first) is same


def test_expressions_are_shown_to_math_verify() -> None:
    pool = MathPool(workers=1)
    try:
        assert equal(r"2\sqrt{3}", r"\sqrt{12}", pool)
        assert equal("x=1, x=2", r"\{1, 2\}", pool)
        assert not equal(r"2\sqrt{3}", r"\sqrt{13}", pool)
        assert equal([r"\frac{\pi}{2}"], [r"\pi/2"], pool)
    finally:
        pool.close()


def test_what_math_verify_can_not_decide_is_said() -> None:
    with pytest.raises(Undecided, match="timeout"):
        equal("9^{9^{9}}", "x^2", Slow())
