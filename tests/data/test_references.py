"""What several answers to one problem mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data.columns.references import joined, listed, meaning, parts, with_points, worked


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
    texts = [f"{work}\n#### {answer}" for answer in answers]
    found = worked(texts)
    assert found is not None and found.answers == tuple(answers) and found.taken and not found.without
    most = worked([*texts, *texts, "1"])
    assert most is not None and most.answers == (*answers, *answers, "1") and most.without == (2 * len(texts),)
    few = worked([*texts, *(["1"] * len(texts))])
    assert few is not None and not few.taken and few.answers == (*texts, *(["1"] * len(texts)))
    assert worked(answers) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"We get \boxed{0}.", "0"),
        (r"\boxed{7}", "7"),
        (r"$f(1)=\frac{6}{4}=\boxed{\frac{3}{2}}$", r"\frac{3}{2}"),
        (r"so it is $-\boxed{5}$", "-5"),
        (r"it is \boxed{42} inches", "42"),
        (r"it is $\boxed{\frac{3}{2}}$, or $\boxed{1.5}$", "1.5"),
        (r"$\boxed{(1,2)}, -\boxed{3}$, and $\boxed{4}$", "(1,2); -3; 4"),
        (r"As $x^2=1$, the roots are $\boxed{1}$ and $\boxed{-1}$.", "1, -1"),
        (r"First \boxed{3}. Of the four that are left one more falls away, so it is \boxed{4}", "4"),
        (r"\fbox{8}", "8"),
        (r"that is $\boxed 15$.", "15"),
        (r"that is $\boxed\frac{1}{2}$", r"\frac{1}{2}"),
        (r"that is \boxed 5.", "5"),
    ],
)
def test_an_answer_in_a_box_is_taken_out_however_short_the_text(text: str, answer: str) -> None:
    found = worked([text, text, "no box here"])
    assert found is not None and found.answers == (answer, answer, "no box here") and found.without == (2,)
    assert worked(["1", "2", text]) is None


@given(st.lists(st.integers(), min_size=1, max_size=4), st.integers(0, 30))
def test_boxes_in_all_rows_leave_none_without(answers: list[int], words: int) -> None:
    found = worked([f"{'so ' * words}${{x}} = \\boxed{{{{{answer}}}}}$." for answer in answers])
    assert found is not None and found.without == ()


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("['A', 'C']", ("A", "C")),
        ('["A", "C", "A"]', ("A", "C")),
        ("['it\\'s']", ("it's",)),
        ("[1, 2]", ("[1, 2]",)),
        ("['A', 2]", ("['A', 2]",)),
        ("['A'", ("['A'",)),
        ("A", ("A",)),
    ],
)
def test_a_list_written_as_text(text: str, texts: tuple[str, ...]) -> None:
    assert listed(text) == texts


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3,5", "3.5"), ("-0,25 ", "-0.25"), ("1.234,5", "1234.5"), ("12", "12"), ("1,5 %", "1.5 %"), ("3.5", None),
        ("2,5 kg", "2.5 kg"), ("(1,2)", None), ("1,2,3", None), ("x", None), ("1.234", "1.234"), ("A,C", None),
    ],
)  # fmt: skip
def test_a_number_with_a_decimal_comma(text: str, number: str | None) -> None:
    assert with_points(text) == number
