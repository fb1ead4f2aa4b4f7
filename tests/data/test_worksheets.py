"""Worksheets: what is generated is solvable and split cleanly; the checker takes exactly what solves every line."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data.worksheets import (
    LARGEST_RESULT,
    SPLITS,
    Line,
    all_lines,
    answered,
    chains,
    evaluate,
    expression,
    first_steps,
    last_step,
    lines_solved,
    long_line,
    parse_problem,
    same_worksheet,
    worksheet_correct,
    worksheets,
)
from pdr_dspy.errors import InputError

TWO = "A: make 41 from 13, 7, 4\nB: make 14 from 5, 2, 4"


def solved(line: Line) -> str:
    a, b, c = line.numbers
    for step, rest in first_steps((a, b, c)):
        last = last_step(step.result, rest, line.target)
        if last is not None:
            return expression(step, last)
    raise AssertionError(f"{line} has no solution")


def test_there_are_many_lines_and_no_line_is_in_two_splits() -> None:
    found = {split: set(all_lines(split)) for split in SPLITS}
    assert sum(map(len, found.values())) > 30_000
    assert len(found["search"]) > 1500 and len(found["report"]) > 1500
    assert not found["train"] & found["search"]
    assert not found["train"] & found["report"]
    assert not found["search"] & found["report"]


def test_the_split_ignores_the_numbers_order() -> None:
    assert Line((13, 7, 4), 41).split == Line((4, 13, 7), 41).split


@given(st.sampled_from(all_lines("search")))
def test_every_line_has_one_first_step_and_the_checker_takes_its_solution(line: Line) -> None:
    a, b, c = line.numbers
    ways = [step for step, rest in first_steps((a, b, c)) if last_step(step.result, rest, line.target)]
    assert len(ways) == 1
    assert all(1 <= step.result <= LARGEST_RESULT for step, _ in first_steps((a, b, c)))
    assert worksheet_correct(f"A: {line}", f"A: {solved(line)}")


@given(st.integers(0, 10_000), st.sampled_from(SPLITS))
def test_a_line_of_four_has_one_way_from_left_to_right_and_the_checker_takes_it(seed: int, split: str) -> None:
    line = long_line(split, random.Random(seed))  # type: ignore[arg-type]
    assert line.split == split
    ways = [
        (first, second, last)
        for first, second in chains(line.numbers)
        if (last := last_step(second.result, line.numbers[3], line.target)) is not None
    ]
    assert len(ways) == 1
    assert all(1 <= step.result <= LARGEST_RESULT for step in ways[0])
    assert worksheet_correct(f"A: {line}", f"A: {expression(*ways[0])}")


def test_about_half_of_the_lines_have_four_numbers() -> None:
    lines = [line for problem in worksheets(200) for line in parse_problem(problem.inputs["problem"]).values()]
    assert 0.4 < sum(len(line.numbers) == 4 for line in lines) / len(lines) < 0.6


def test_worksheets_are_reproducible_and_a_longer_list_begins_with_the_shorter() -> None:
    assert worksheets(3, seed=1) == worksheets(7, seed=1)[:3]
    assert worksheets(3, seed=1) != worksheets(3, seed=2)
    assert len({problem.id for problem in worksheets(50)}) == 50


@pytest.mark.parametrize("split", SPLITS)
def test_a_worksheet_holds_only_lines_of_its_split(split: str) -> None:
    for problem in worksheets(20, lines=5, split=split, seed=3):  # type: ignore[arg-type]
        lines = parse_problem(problem.inputs["problem"])
        assert list(lines) == list("ABCDE")
        assert {line.split for line in lines.values()} == {split}


def test_no_line_of_three_comes_back_before_all_others_were_used() -> None:
    lines = [line for problem in worksheets(100) for line in parse_problem(problem.inputs["problem"]).values()]
    short = [(tuple(sorted(line.numbers)), line.target) for line in lines if len(line.numbers) == 3]
    assert len(set(short)) == len(short)


@pytest.mark.parametrize("arguments", [{"count": -1}, {"count": 1, "lines": 0}, {"count": 1, "lines": 27}])
def test_what_cannot_be_made_is_an_error(arguments: dict[str, int]) -> None:
    with pytest.raises(InputError):
        worksheets(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ("A: (7 * 4) + 13\nB: (5 + 2) * (4 - 2)", 1),  # B uses 2 twice
        ("A: (7 * 4) + 13\nB: (5 * 2) + 4", 2),
        ("A: 13+7*4\nB: 5*2+4", 2),
        ("A: 13+7*4 = 41\nB: 5*2+4 = 15", 1),  # the claimed result is false
        ("B: (5 * 2) + 4", 1),
        ("A: 41\nB: 14", 0),
        ("A: 13 + 7 * 4 + 0\nB: 5*2+4", 1),  # 0 is not a given number
        ("A: 13 + 7 * 4\nA: 13 - 7 * 4\nB: 5*2+4", 1),  # an answer hedged with a wrong one does not count
        ("A: 13 + 7 * 4\nA: 13 + 7 * 4\nB: 5*2+4", 2),
        ("none", 0),
        ("", 0),
        ("A: __import__('os')\nB: 5*2+4", 1),
        ("C: 5*2+4", 0),
    ],
)
def test_the_checker_counts_solved_lines(answer: str, lines: int) -> None:
    assert lines_solved(TWO, answer) == lines
    assert worksheet_correct(TWO, answer) is (lines == 2)


def test_fractions_are_exact() -> None:
    assert worksheet_correct("A: make 8 from 3, 3, 8", "A: 8 / 3 * 3")
    assert evaluate("8 / 3 * 3") == (Fraction(8), [8, 3, 3])


@pytest.mark.parametrize("formula", ["", "1 +", "(1", "1)", "1 2", "1 / 0", "1 // 2", "2 ** 9", "-1", "(" * 500, "a"])
def test_what_is_not_an_expression_has_no_value(formula: str) -> None:
    assert evaluate(formula) is None


@given(st.text(alphabet="0123456789+-*/() AB:=\n", max_size=60))
def test_any_answer_gets_a_verdict(answer: str) -> None:
    assert 0 <= lines_solved(TWO, answer) <= 2


def test_a_text_without_puzzles_is_never_correct() -> None:
    assert not worksheet_correct("What is 2 + 2?", "A: 4")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A: (7 * 4) + 13 = 41", [("A", "(7 * 4) + 13", "41")]),
        ("  A:\n\n (7 * 4) + 13\n = 41\nB: 5 * 2 + 4", [("A", "(7 * 4) + 13", "41"), ("B", "5 * 2 + 4", "")]),
        ("A: (7 * 4) + 13 =\n41", [("A", "(7 * 4) + 13", "41")]),
        ("A: (7 * 4) + 13 = 41, or so", []),
        ("A: (7 * 4) + 13\n= 41 or so", [("A", "(7 * 4) + 13", "")]),
        ("A:\nB: 5", [("B", "5", "")]),
    ],
)
def test_an_answer_is_what_stands_behind_its_label(text: str, found: list[tuple[str, str, str]]) -> None:
    assert answered(text) == found


def test_a_result_of_thousands_of_digits_is_wrong_and_no_error() -> None:
    long = "9" * 10_000
    assert not worksheet_correct("A: make 41 from 13, 7, 4", f"A: (7 * 4) + 13 = {long}")
    assert same_worksheet(f"A: 1 = {long}", f"A: 1 = {long}") and not same_worksheet(f"A: 1 = {long}", "A: 1 = 9")
    assert parse_problem(f"A: make {long} from 1, 2, 3") == {}
