"""Answers as text: boxes, integers, spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.answers.boxed import last_boxed
from pdr_dspy.answers.mathtext import final, integer, quick_compare, spelling, wrapped


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"so \boxed{5}, or rather \boxed{7}", "7"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed {\{1, 2\}}", r"\{1, 2\}"),
        (r"\fbox{3}", "3"),
        (r"\boxed{5} but then \boxed{unclosed", "5"),
        ("no box", None),
    ],
)
def test_the_last_balanced_box_counts(text: str, box: str | None) -> None:
    assert last_boxed(text) == box


@pytest.mark.parametrize("text", ["33", "033", " $33$ ", r"\(33\)", "33.", "33.0", r"\boxed{33}", r"\text{33}", "+33"])
def test_spellings_of_an_integer(text: str) -> None:
    assert integer(text) == 33


@pytest.mark.parametrize("text", ["", "33.5", "3, 5, 7", r"\frac{66}{2}", "thirty", "1,23", "9" * 5000])
def test_what_is_no_integer(text: str) -> None:
    assert integer(text) is None


def test_thousands() -> None:
    assert {integer(t) for t in ("26000", "26,000", "26{,}000", r"26\,000", r"\$26,000")} <= {26000, None}
    assert integer("26,000") == integer("26{,}000") == integer(r"26\,000") == 26000


@given(st.integers(-(10**12), 10**12))
def test_every_integer_is_read_back(number: int) -> None:
    assert integer(str(number)) == integer(f"{number:,}") == integer(f"$\\boxed{{{number}}}$") == number


@given(st.text())
def test_no_text_breaks_the_text_functions(text: str) -> None:
    final(text), integer(text), spelling(text), wrapped(text), quick_compare("5", text), quick_compare(text, "5")


@given(st.text(min_size=1))
def test_an_answer_equals_itself(text: str) -> None:
    assert quick_compare(text, text) is True


@pytest.mark.parametrize(
    ("reference", "answer", "equal"),
    [
        (r"\frac{14}{3}", r"\dfrac{14}{3}", True),
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})", True),
        (r"\text{even}", "Even", True),
        (r"\text{even}", "odd", False),
        (r"30^\circ", "30", True),
        ("204", "the answer is 204", None),
        ("204", "205", False),
        ("204", "", False),
        (r"\frac{1}{2}", "0.5", None),
    ],
)
def test_what_text_alone_decides(reference: str, answer: str, equal: bool | None) -> None:
    assert quick_compare(reference, answer) is equal
