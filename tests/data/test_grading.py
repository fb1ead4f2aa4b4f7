"""Graders, and the worker processes behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pydantic
import pytest

from pdr_dspy.answers.mathpool import MathPool
from pdr_dspy.data import Problem, make_grader
from pdr_dspy.data.worksheets import worksheets
from pdr_dspy.errors import DataError


@pytest.fixture(scope="module")
def pool() -> Iterator[MathPool]:
    pool = MathPool(workers=1, limit=2.0)
    yield pool
    pool.close()


def problem(answer: str | None) -> Problem:
    return Problem("p", {"problem": "?"}, answer)


class Answer(pydantic.BaseModel):
    value: int

    def __str__(self) -> str:
        return str(self.value)


@pytest.mark.parametrize(
    ("answer", "correct"),
    [("204", True), (204, True), (Answer(value=204), True), (r"Thus \boxed{204}.", True), ("0204", True),
     ("The answer is 204.", True), (r"\boxed{5}, no: \boxed{204}", True), (r"\boxed{204} or \boxed{5}", False),
     (203, False), ("I don't know", False), ("", False)],
)  # fmt: skip
async def test_integers(pool: MathPool, answer: Any, correct: bool) -> None:
    verdict = await make_grader("integer", pool=pool).grade(problem("204"), {"answer": answer})
    assert verdict.correct is correct


@pytest.mark.parametrize(
    ("reference", "answer", "correct"),
    [
        (r"1+3\sqrt{2}", r"3\sqrt2+1", True),
        ("1", r"1+3\sqrt{2}", False),
        ("p - q", "-q+p", True),
        ("3, 5, 7", "7,5,3", True),
        (r"\frac{14}{3}", "The answer is $14/3$.", True),
        (r"1 \pm \sqrt{19}", r"1+\sqrt{19}, 1-\sqrt{19}", True),
        (r"(5,\infty)", r"[5,\infty)", False),
        ("y = -2x", "y=-2x+0", True),
    ],
)
async def test_mathematics(pool: MathPool, reference: str, answer: str, correct: bool) -> None:
    verdict = await make_grader("math", pool=pool).grade(problem(reference), {"answer": answer})
    assert verdict.correct is correct and verdict.failure is None


async def test_exact_ignores_whitespace_and_nothing_else() -> None:
    grader = make_grader("exact", "name")
    assert await grader.grade(problem("New  York\n"), {"name": " New York"})
    assert not await grader.grade(problem("New York"), {"name": "new york"})


async def test_a_missing_field_is_wrong_and_says_so() -> None:
    verdict = await make_grader("exact").grade(problem("5"), {"solution": "5"})
    assert (
        not verdict and verdict.failure == "missing" and "'answer'" in verdict.detail and "solution" in verdict.detail
    )


async def test_worksheets_are_graded_by_their_own_checker() -> None:
    sheet = Problem("w", {"problem": "A: make 41 from 13, 7, 4"})
    grader = make_grader("worksheet")
    assert await grader.grade(sheet, {"answer": "A: (7 * 4) + 13"})
    assert not await grader.grade(sheet, {"answer": "A: 7 + 4 + 13"})
    assert not await grader.grade(worksheets(1)[0], {"answer": "A: 1 + 1"})


def test_unknown_grader() -> None:
    with pytest.raises(DataError, match="integer, number, math, choice, words, exact, all, any, worksheet, or package"):
        make_grader("fuzzy")


@pytest.mark.parametrize(
    ("kind", "first", "second", "same"),
    [
        ("exact", "New  York", " New York", True),
        ("exact", "1/2", "0.5", False),
        ("math", r"\frac12", "0.5", True),
        ("math", "(B)", "B", True),
        ("math", 3, "3.0", True),
        ("math", r"\sqrt{12}", r"2\sqrt3", True),
        ("math", r"\sqrt{12}", r"2\sqrt2", False),
        ("math", "Paris", "London", False),
        ("integer", "1,024", "1024", True),
        ("integer", "033", "33", True),
        ("worksheet", "A: (7 * 4) + 13\nB: 5 - 2", "A: 13+4*7 = 41\nB: (5-2)", True),
        ("worksheet", "A: (7 * 4) + 13\nB: 5 - 2", "A: 13 + 28\nB: 5 - 2", False),  # other numbers
        ("worksheet", "A: (7 * 4) + 13\nB: 5 - 2", "A: (7 * 4) + 13", False),
        ("worksheet", "A: (7 * 4) + 13 = 40", "A: (7 * 4) + 13", False),
        ("worksheet", "A: (7 *", "A: (7*", True),
        ("worksheet", "no idea", "none", False),
        ("math", None, None, True),
        ("math", None, "5", False),
    ],
)
async def test_when_two_answers_are_one(pool: MathPool, kind: str, first: Any, second: Any, same: bool) -> None:
    grader = make_grader(kind, pool=pool)
    assert await grader.equal(first, second) is same
    assert await grader.equal(second, first) is same


async def test_right_worksheets_are_one_answer_and_wrong_ones_others() -> None:
    text = "A: make 41 from 13, 7, 4\nB: make 14 from 5, 2, 4"
    right = ["A: (7 * 4) + 13\nB: (5 + 2) * 4 / 2", "A: 13 + 4 * 7\nB: 5 * 2 + 4", "A: 13 + 7 * 4 = 41\nB: 4 + 2 * 5"]
    wrong = ["A: (7 * 4) + 13\nB: 7 * 2", "A: 13 + 7 + 4\nB: 5 * 2 + 4", "A: 41\nB: 14"]
    grader, asked = make_grader("worksheet"), Problem("p", {"problem": text})
    solved = [answer for answer in (*right, *wrong) if await grader.grade(asked, {"answer": answer})]
    assert solved == right[1:]
    for first in solved:
        for second in (*right, *wrong):
            assert await grader.equal(first, second) is (second in solved)
