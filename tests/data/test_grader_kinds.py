"""What each kind of grader takes for right."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pdr_dspy.answers.mathpool import MathPool, Reply
from pdr_dspy.data import Problem, Tolerance, guess, load_data, make_grader
from pdr_dspy.data.graders import graded_by
from pdr_dspy.data.graders.code import CodeJudge
from pdr_dspy.errors import DataError


@pytest.fixture(scope="module")
def pool() -> Iterator[MathPool]:
    pool = MathPool(workers=1, limit=5.0)
    yield pool
    pool.close()


class NoPool(MathPool):
    """One that must not be asked."""

    async def verify(self, reference: str, answer: str, **options: Any) -> Reply:
        raise AssertionError(f"asked about {reference} and {answer}")


def problem(answer: str | None, **more: Any) -> Problem:
    return Problem("p", {"problem": "?"}, answer, **more)


RIGHT = {
    "12": ["**12**", "`12`", "x = 12", "There are 12 ways.", "12 (since 3*4=12)", "7\n\nWait, it is 12.", "12.0", "=12",
           "Therefore, x = 12.", "The answer is 12, not 13.", "12 square units", "Twelve", r"\underline{12}", "1.2e1"],
    r"\frac{14}{3}": ["4 2/3", "14/3", r"4\frac23"],
    "4.5e33 erg/s": [r"4.5 \times 10^{33} erg/s", "4.5*10^33", "4.5e26 W"],
    r"12\text{ cm}": ["0.12 m", "12", "120 mm"],
    "3 hours 20 minutes": ["200 minutes", "3 h 20 min"],
    r"\$18.90": ["18.9 dollars per share", "$18.90", "18.9"],
    "50%": ["0.5", "50", r"50\%", "50 percent"],
    r"30^\circ": [r"\frac{\pi}{6}", "30", "30 degrees"],
    r"(5,\infty)": ["x>5", "5 < x"],
    "[2,3)": [r"2 \le x < 3"],
    "b>a>c": ["c<a<b"],
    "2a - 5 > 0": ["a > 5/2"],
    r"\{1,2\}": ["2, 1", "1 and 2", r"\boxed{1}, \boxed{2}"],
    "(3,4)": ["The point is (3,4).", "x=3, y=4", r"\begin{pmatrix}3\\4\end{pmatrix}"],
    "x=1,x=2": ["x=2 or x=1", "1, 2"],
    "100, 200": ["100,200", "200, 100"],
    r"1 \pm \sqrt{2}": [r"1-\sqrt2, 1+\sqrt2"],
    "xy": ["yx", r"x \cdot y"],
    "Yes": ["Yes, it converges."],
    r"\text{even}": ["The function is even.", "Even"],
    "no solution": ["No solutions", r"\emptyset"],
    "AC": ["A, C", "CA", "(A) and (C)"],
    "B": ["(B)", "B) 12", "Option B", "Option A is wrong, so the answer is B."],
    "5:00 PM": ["5:00 p.m.", "17:00"],
    "1:9": ["1 to 9", "2:18"],
    "2516_8": [r"2516_{\text{eight}}"],
    r"16e^{4\pi i/3}": [r"-8-8\sqrt{3}i"],
}  # fmt: skip
WRONG = {
    "12": ["1 2", "1\n2", r"1\quad 2", "not 12", "12 or 13", "12, 13", "12 dozen", "at least 12", "> 12",
           "12 if n even",
           "It can't be 12.", "12 squared", r"\boxed{12} or \boxed{13}", "-12", "12x", "", "maybe 12"],
    "2": ["3 or 2", "2 2/3", "2, 3"],
    "6": ["42 (since 42=7*6)"],
    "31/2": ["3 1/2"],
    "3e8": ["3*e*8"],
    "1, 234": ["1234"],
    r"12\text{ cm}": ["12 m", "12 s"],
    "15 hours": ["15 minutes", "15 apples"],
    "5 boys": ["5 girls"],
    "x=2 or x=3": ["x=3", "2"],
    "16,3,1,1": ["16,3,1"],
    "(1,2)": ["{1,2}", "(2,1)", "[1,2]"],
    "x=3, y=4": ["(4,3)", "x=4, y=3"],
    "x=5": ["y=5"],
    "x+y=1": ["1"],
    "[0,1]": ["(0,1)", "0<x<1"],
    "(a,b)": ["(b,a)"],
    "2:3:4": ["2:4:3"],
    "3:15": ["0.2"],
    "5:00 PM": ["5:00 AM"],
    "52_8": ["52_9", "52_{10}"],
    "AB": ["ab"],
    "A": ["B", "A or B", "Option A is wrong, so the answer is B."],
    "even": ["neither even nor odd", "odd"],
    "Yes": ["No", "Yes or no"],
    "n!": ["n"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "answer", "right"),
    [(r, a, True) for r, answers in RIGHT.items() for a in answers]
    + [(r, a, False) for r, answers in WRONG.items() for a in answers],
)
async def test_free_text_is_graded_as_a_careful_person_would(
    pool: MathPool, reference: str, answer: str, right: bool
) -> None:
    verdict = await make_grader("math", pool=pool).grade(problem(reference), {"answer": answer})
    assert verdict.correct is right and verdict.failure is None


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_hedging_between_two_numbers_is_never_right(one: int, other: int) -> None:
    assume(one != other)

    async def grade() -> list[bool]:
        grader = make_grader("math", pool=NoPool())
        answers = [f"{one} or {other}", f"{other}, {one}", rf"\boxed{{{one}}} or \boxed{{{other}}}", f"not {one}"]
        return [bool(await grader.grade(problem(str(one)), {"answer": answer})) for answer in answers]

    assert asyncio.run(grade()) == [False] * 4


@pytest.mark.parametrize(
    ("kind", "reference", "answer", "right"),
    [
        ("integer", "204", r"Thus \boxed{204}.", True),
        ("integer", "1,024", "2^{10}", True),
        ("integer", "204", "204.5", False),
        ("integer", "204", "m + n = 204", True),
        ("integer", "204", "m+n = 100 + 104 = 204", True),
        ("integer", "204", "100p + q = 204", True),
        ("integer", "204", "2m = 204", False),
        ("integer", "204", "m - 4 + n = 204", False),
        ("integer", "204", "m+n = 100 + 105 = 204", False),
        ("integer", "204", "m + n > 204", False),
        ("integer", "204", "2 0 4", False),
        ("integer", "42", "4200%", True),
        ("integer", "42", "420%", False),
        ("integer", "42", "about 42", False),
        ("integer", "42", "The answer is ~42", False),
        ("integer", "42", "x \u2248 42", False),
        ("integer", "about 42", "about 42", True),
        ("integer", "42", "42 (I am not sure)", True),
        ("integer", "-5", "negative five", True),
        ("words", "New York", "New-York", True),
        ("words", "well-known", "Well known.", True),
        ("words", "New York", "York-New", False),
        ("words", "caf\u00e9", "Cafe\u0301", True),
        ("words", "caf\u00e9", "cafe", False),
        ("math", "caf\u00e9", "cafe\u0301", True),
        ("words", "the Moon", "moon.", True),
        ("words", "Paris", "The capital is Paris.", True),
        ("words", "Paris", "London", False),
        ("words", "Paris", "Paris or London", False),
        ("words", "July 4, 1776", "4 July 1776", True),
        ("words", "July 4, 1776", "July 14, 1776", False),
        ("words", "apple banana cherry", "Apple, banana, cherry.", True),
        ("words", "apple banana cherry", "banana, apple, cherry", False),
        ("words", "J. K. Rowling", "JK Rowling", True),
        ("words", "J. K. Rowling", "J. R. R. Tolkien", False),
        ("integer", "42", "42%", True),
        ("integer", "1", "0.01%", False),
        ("number", "0.5", "0.5%", False),
        ("all", "p=3, q=7", "q=7, p=3", True),
        ("all", "p=3, q=7", "3 or 7", False),
        ("all", "red; blue", "red or blue", False),
        ("all", "2; 3", "3 and 2", True),
        ("all", "2; 3", "3", False),
        ("number", "9.81", "9.81", True),
        ("number", "9.81", "9.8", False),
    ],
)
async def test_kinds(pool: MathPool, kind: str, reference: str, answer: str, right: bool) -> None:
    assert (await make_grader(kind, pool=pool).grade(problem(reference), {"answer": answer})).correct is right


async def test_any_takes_one_of_several_and_all_needs_each() -> None:
    both = problem("2", answers=("2", "3"))
    any_of, all_of = make_grader("any", pool=NoPool()), make_grader("all", pool=NoPool())
    assert await any_of.grade(both, {"answer": "3"}) and not await any_of.grade(both, {"answer": "4"})
    assert await all_of.grade(both, {"answer": "3, 2"}) and not await all_of.grade(both, {"answer": "3"})


@pytest.mark.parametrize(
    ("answers", "right", "wrong"),
    [
        (("2", "3"), ["x=2 or x=3", "x=3, x=2", "2; 3", "{3,2}"], ["2", "2, 3, 4", "x=2", "y=2, y=4"]),
        (("1,000", "2"), ["1000; 2", "1,000 and 2", "2, 1,000"], ["1, 0, 2", "1, 000, 2", "1,002"]),
        (("100", "200"), ["100,200", "100, 200"], ["100200; 1"]),
        (("(1,2)", "(3,4)"), ["(3,4), (1,2)"], ["1,2,3,4", "(1,2)", "(1,2), (4,3)"]),
        (("red, blue", "green"), ["green; red, blue"], ["green", "red, blue"]),
    ],
)
async def test_all_is_graded_part_by_part(answers: tuple[str, ...], right: list[str], wrong: list[str]) -> None:
    asked, grader = problem("; ".join(answers), answers=answers), make_grader("all", pool=NoPool())
    assert [text for text in right if not await grader.grade(asked, {"answer": text})] == []
    assert [text for text in wrong if await grader.grade(asked, {"answer": text})] == []


async def test_the_parts_of_a_list_in_a_file_are_graded_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"problem": "q", "answer": ["1,000", "2"]}\n')
    data = load_data(str(path))
    (asked,) = data.problems
    assert (data.grader.name, asked.answer, asked.answers) == ("all", "1,000; 2", ("1,000", "2"))
    assert guess(data.problems).kind == "all"
    assert await data.grader.grade(asked, {"answer": "2 and 1000"})
    assert not await data.grader.grade(asked, {"answer": "1, 0, 2"})


@pytest.mark.parametrize("text", ["1,000; 2", "1,000 and 2", "2\n1,000", "2, 1,000"])
async def test_a_comma_between_thousands_does_not_separate_where_something_else_does(text: str) -> None:
    grader = make_grader("math", pool=NoPool())
    assert await grader.grade(problem(text), {"answer": "1000; 2"})
    assert not await grader.grade(problem(text), {"answer": "1, 0, 2"})


async def test_a_choice_is_named_by_its_letter_or_its_text() -> None:
    asked, grader = problem("B", options=("3", "4 m", "vitamin C", "4 km")), make_grader("choice")
    for answer in ("B", "b", "(B)", "B) 4 m", "4 m", "**4 m**", "The answer is B.", "400 cm"):
        assert await grader.grade(asked, {"answer": answer}), answer
    for answer in ("A", "C", "3", "4", "A or B", "A, B", "", "E"):
        assert not await grader.grade(asked, {"answer": answer}), answer
    assert await grader.grade(problem("AC"), {"answer": "C and A"})
    assert not await grader.grade(problem("AC"), {"answer": "A"})
    assert await grader.equal("(B)", "b") and not await grader.equal("B", "A")


async def test_a_letter_and_a_text_beside_it_have_to_name_one_option(pool: MathPool) -> None:
    grader = make_grader("choice", pool=pool)
    speeds = problem("A", options=("12 m/s", "15 m/s", "x+1", "C"))
    for answer in ("A) 12 m/s", "12 m/s (A)", "Option A: 12 m/s", "(A) 12 m/s, not 15 m/s"):
        assert await grader.grade(speeds, {"answer": answer}), answer
    for answer in ("A) 15 m/s", "15 m/s (A)", "12 m/s (B)", "Option A: 15 m/s", "(A) C", "A, B"):
        assert not await grader.grade(speeds, {"answer": answer}), answer
    for letter, answer in (
        ("A", "A (12 m/s)"),
        ("C", "C (1+x)"),
        ("C", "1+x"),
        ("C", "C) 1+x"),
        ("D", "(D) C"),
        ("D", "D. C"),
        ("C", "C"),
    ):
        assert await grader.grade(replace(speeds, answer=letter), {"answer": answer}), answer


async def test_votes_know_the_options_of_their_problem_and_never_its_reference() -> None:
    asked = problem("A", options=("12 m/s", "15 m/s"))
    by = graded_by(make_grader("choice", pool=NoPool()), asked)
    assert by is not None and await by.equal("A", "12 m/s") and not await by.equal("B", "12 m/s")
    several = problem("Bern", answers=("Bern", "Berne"))
    by = graded_by(make_grader("any", pool=NoPool()), several)
    assert by is not None and not await by.equal("Bern", "Berne")


@pytest.mark.parametrize(
    ("tolerance", "reference", "answer", "right"),
    [
        ("1e-3", "2.998e8", "299792458", True),
        ("1e-4", "2.998e8", "299000000", False),
        ("1e-2", r"\frac{\sqrt{3}}{2}", "0.866", True),
        ("±0.5", "12", "12.5", True),
        ("+-0.5", "12", "12.6", False),
        ("±0.5", "12 m", "1240 cm", True),
        ("1%", "200", "201 apples", True),
        ("1%", "5 km", "5 m", False),
        ("1%", "50%", "0.502", True),
        ("1%", "12", "12 or 13", False),
        ("0", "12", "12.0", True),
        ("1e-2", "0.5", "0.5%", False),
        ("1e-2", "0.5", "50%", True),
        ("1e-2", "0.0821", r"R = 0.0821 \frac{L\cdot atm}{mol\cdot K}", True),
        ("1e-2", "3.0e8", "c \u2248 3.00\u00d710^8", True),
    ],
)
async def test_a_number_within_a_tolerance(tolerance: str, reference: str, answer: str, right: bool) -> None:
    grader = make_grader("number", pool=NoPool(), tolerance=Tolerance.parse(tolerance))
    assert (await grader.grade(problem(reference), {"answer": answer})).correct is right


@pytest.mark.parametrize(
    ("tolerance", "one", "other", "same"),
    [("1e-2", "9.81", "9.8", True), ("1e-2", "9.8", "9.81", True), ("1e-2", "9.81", "9.6", False),
     ("±0.5", "12 m", "1240 cm", True), ("±0.5", "1240 cm", "12 m", True), ("±0.5", "12", "12 or 13", False),
     (None, "9.81", "9.8", False)],
)  # fmt: skip
async def test_votes_keep_to_the_tolerance(tolerance: str | None, one: str, other: str, same: bool) -> None:
    grader = make_grader("number", pool=NoPool(), tolerance=Tolerance.parse(tolerance) if tolerance else None)
    assert await grader.equal(one, other) is same


@given(st.fractions(-1000, 1000), st.fractions(-1000, 1000), st.fractions(0, Fraction(9, 10)), st.booleans())
def test_two_votes_are_one_where_either_would_be_right_by_the_other(
    one: Fraction, other: Fraction, size: Fraction, relative: bool
) -> None:
    grader = make_grader("number", pool=NoPool(), tolerance=Tolerance(size, relative))

    async def words() -> tuple[bool, bool, bool]:
        right = [bool(await grader.grade(problem(str(a)), {"answer": str(b)})) for a, b in ((one, other), (other, one))]
        return any(right), await grader.equal(str(one), str(other)), await grader.equal(str(other), str(one))

    assert len(set(asyncio.run(words()))) == 1


@given(st.fractions(-1000, 1000), st.fractions(0, 1).filter(lambda size: size < 1))
def test_a_tolerance_reaches_exactly_as_far_as_it_says(reference: Fraction, size: Fraction) -> None:
    share, distance = Tolerance(size), Tolerance(size, relative=False)
    assert share.allows(reference, reference + size * abs(reference)) and distance.allows(reference, reference - size)
    assert not distance.allows(reference, reference + size + 1)


def test_a_tolerance_stands_in_the_name_and_is_for_numbers_alone() -> None:
    names = {make_grader("number", tolerance=Tolerance.parse(text)).name for text in ("1e-3", "0.1%", "±0.001")}
    assert len(names | {make_grader("number").name}) == 3
    with pytest.raises(DataError, match="has none"):
        make_grader("math", tolerance=Tolerance.parse("1e-3"))
    for text in ("a lot", "-1", "2", "±", ""):
        with pytest.raises(DataError, match="tolerance"):
            Tolerance.parse(text)


OWN = """
import dataclasses
from pdr_dspy.data import Verdict
def shorter(problem, answer): return len(answer) < len(problem.answer)
async def waiting(problem, answer): return Verdict(answer == problem.answer, None, "seen")
def broken(problem, answer): return 1 / 0
def empty(problem, answer): return next(iter(()))
def leaving(problem, answer): raise SystemExit(3)
async def cancelled(problem, answer): raise __import__("asyncio").CancelledError
def odd(problem, answer): return "yes"
def score(problem, answer): return 0.5
def one(problem, answer): return 1
def nought(problem, answer): return 0.0
def stuck(problem, answer): __import__("threading").Event().wait()
async def asleep(problem, answer): await __import__("asyncio").Event().wait()
async def blocking(problem, answer): __import__("threading").Event().wait(0.5)
def alone(problem): return True
def double(problem, answer): return answer + answer == 8
number = 5
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "owngraders.py").write_text(OWN)
    (tmp_path / "halfgraders.py").write_text("import no_such_module_here")
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("owngraders", None)


NO_VERDICT = {
    "broken": "broken raised ZeroDivisionError: division by zero (owngraders.py, line 6)",
    "empty": "empty raised StopIteration",
    "leaving": "leaving raised SystemExit: 3",
    "cancelled": "cancelled raised CancelledError",
    "odd": "gave str, neither bool nor Verdict",
    "score": "gave 0.5, which is neither right",
}


async def test_a_callable_of_ones_own_judges(own: None) -> None:
    asked = problem("four")
    assert await make_grader("owngraders:shorter").grade(asked, {"answer": "4"})
    assert not await make_grader("owngraders:shorter").grade(asked, {"answer": "four and more"})
    assert (await make_grader("owngraders:waiting").grade(asked, {"answer": "four"})).detail == "seen"
    assert await make_grader("owngraders:one").grade(asked, {"answer": "4"})
    assert not await make_grader("owngraders:nought").grade(asked, {"answer": "4"})
    for name, why in NO_VERDICT.items():
        verdict = await make_grader(f"owngraders:{name}").grade(asked, {"answer": "4"})
        assert (verdict.correct, verdict.failure) == (False, "grader") and why in verdict.detail
    assert make_grader("owngraders:shorter").name != make_grader("owngraders:odd").name


@pytest.mark.parametrize("name", ["stuck", "asleep", "blocking"])
async def test_a_callable_that_does_not_end_is_given_up(own: None, name: str) -> None:
    judge = replace(CodeJudge.load(f"owngraders:{name}"), limit=0.05)
    verdict = await judge(problem("four"), "4")
    assert (verdict.correct, verdict.failure) == (False, "grader") and "no verdict within 0.05 s" in verdict.detail
    with pytest.raises(DataError, match="no verdict within"):
        judge.tried(problem("four"), "4")
    assert await replace(CodeJudge.load("owngraders:waiting"), limit=10.0)(problem("four"), "four")


async def test_giving_up_the_judging_gives_up_the_call(own: None) -> None:
    judging = asyncio.ensure_future(CodeJudge.load("owngraders:stuck")(problem("four"), "4"))
    await asyncio.sleep(0)
    judging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await judging


def test_a_callable_is_known_by_the_whole_file_it_is_in(own: None, tmp_path: Path) -> None:
    before = make_grader("owngraders:shorter").name
    (tmp_path / "owngraders.py").write_text(OWN + "\nlimit = 5\n")
    assert make_grader("owngraders:shorter").name != before


@pytest.mark.parametrize("name", [*NO_VERDICT, "alone"])
def test_a_callable_that_gives_no_verdict_is_refused_with_the_data(own: None, tmp_path: Path, name: str) -> None:
    (tmp_path / "data.jsonl").write_text('{"problem": "2+2?", "answer": 4}\n')
    with pytest.raises(DataError, match=f"owngraders:{name}"):
        load_data("data.jsonl", grader=f"owngraders:{name}")


def test_a_callable_that_calls_a_reference_wrong_is_told(own: None, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"problem": "2+2?", "answer": 4}\n')
    (tmp_path / "bare.jsonl").write_text('{"problem": "2+2?"}\n')
    notes = load_data("data.jsonl", grader="owngraders:shorter").notes
    assert notes == ("owngraders:shorter calls the reference of problem 1, '4', a wrong answer to it",)
    assert load_data("data.jsonl", grader="owngraders:waiting").notes == ()
    (note,) = load_data("bare.jsonl", grader="owngraders:broken").notes
    assert "ZeroDivisionError" in note
    typed = load_data("data.jsonl", grader="owngraders:double", signature="problem -> answer: int")
    assert typed.notes == ()


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("no_such_graders:f", "can't be imported"),
        ("halfgraders:f", "no_such_module_here"),
        ("owngraders:missing", "has no missing"),
        ("owngraders:number", "is no function"),
        ("owngraders:alone", "a problem and an answer"),
        (":f", "names no callable"),
    ],
)
def test_a_callable_that_can_not_judge_is_refused_at_once(own: None, spec: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        make_grader(spec)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (["1", "204", "-3"], "integer"),
        (["1", "2.5", "1e-5", "3/4"], "number"),
        (["A", "(B)", "C"], "choice"),
        (["Yes", "No", "no"], "words"),
        (["Paris", "the Moon", "Dr. Smith"], "words"),
        (["1", r"\frac{\pi}{2}", "(1,2)"], "math"),
        (["x+1", "2, 3", "7"], "math"),
    ],
)
def test_the_kind_is_guessed_by_the_references(answers: list[str], kind: str) -> None:
    said = guess([problem(answer) for answer in answers])
    assert said.kind == kind and said.why


def test_options_and_several_answers_are_guessed_too() -> None:
    assert guess([problem(letter, options=("1", "2")) for letter in "AB"]).kind == "choice"
    assert guess([problem("1", answers=("1", "2")), problem("3")]).kind == "any"
    assert guess([problem(None)]).kind == "math"


@pytest.mark.parametrize(
    ("reference", "answer", "right"),
    [("1,000; 2", "1000; 2", True), ("1,000; 2", "2 and 1,000", True), ("1,000; 2", "1, 0, 2", False)],
)
async def test_a_comma_between_thousands_separates_nothing(reference: str, answer: str, right: bool) -> None:
    problem = Problem("p", {"problem": "?"}, reference)
    assert bool(await make_grader("all").grade(problem, {"answer": answer})) is right


async def test_all_of_a_problems_answers_may_stand_in_one_sentence() -> None:
    problem = Problem("p", {"problem": "?"}, "2", answers=("2", "3"))
    assert await make_grader("all").grade(problem, {"answer": "x=2 or x=3"})
    assert not await make_grader("all").grade(problem, {"answer": "x=2"})
