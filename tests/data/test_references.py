"""What several answers to one problem mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data.columns.references import joined, meaning, parts, worked


@pytest.mark.parametrize(
    ("cell", "answers"),
    [
        ("2", ("2",)),
        (["2"], ("2",)),
        (["2", "3", "2"], ("2", "3")),
        ([" a ", None, ""], ("a",)),
        ({"text": ["a", "b"], "answer_start": [1, 2]}, ("a", "b")),
        ([[1, 2], [3, 4]], ("[[1, 2], [3, 4]]",)),
        (True, ("true",)),
    ],
)
def test_the_answers_in_a_cell(cell: object, answers: tuple[str, ...]) -> None:
    assert parts(cell) == answers


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["2"], ["x"]], None),
        ([["2"], ["2", "3"]], "all"),
        ([["1,000", "-3.5"]], "all"),
        ([["1/2", "3"]], "all"),
        ([["1/2", "0.5"]], "any"),
        ([["x=2", "x=3"]], "all"),
        ([["x=2", "y=3"]], "any"),
        ([["x=2", "2"]], "any"),
        ([["(1,2)", "(2,1)"]], "all"),
        ([["(1,2)", "(1,2.0)"]], "any"),
        ([["2", "2.0"]], "any"),
        ([["2", "two"]], "any"),
        ([["2", "3"], ["x<0 or x=1", "(-\\infty,0)\\cup\\{1\\}"]], "any"),
        ([["2", "nan"]], "any"),
    ],
)
def test_numbers_that_differ_are_all_wanted(rows: list[list[str]], said: str | None) -> None:
    assert meaning(rows) == said


def test_several_as_one() -> None:
    assert joined(["2", "3"]) == "2, 3" and joined(["(1,2)", "3"]) == "(1,2); 3"


@given(st.lists(st.integers().map(str), min_size=1, max_size=5), st.text())
def test_a_worked_solution_ends_with_its_answer(answers: list[str], work: str) -> None:
    found = worked([f"{work}\n#### {answer}" for answer in answers])
    assert found is not None and found[0] == answers
    assert worked([*(f"#### {answer}" for answer in answers), "1"]) is None
