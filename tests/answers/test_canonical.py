"""One spelling for the many of an answer."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.answers.canonical import canonical, mathematical, rational

ALIKE = {
    "1/2": [
        r"\frac{1}{2}", r"\dfrac{1}{2}", r"\frac12", r"\tfrac 1 2", "1/2", "0.5", ".5", "0.50", "$1/2$", "3/6",
        r"\(\frac{1}{2}\)", r"\boxed{0.5}", r"so it is $\boxed{\frac{1}{2}}$.",
    ],
    "1000": [
        "1000", "1,000", "1{,}000", r"1\,000", r"1,\!000", "1000.0", "$1,000$", r"\$1000", "$1000.", "1e3", "01000",
        "1000 dollars", "1,000 cm", r"1000\text{ m}", r"1000\ \mathrm{cm}^2", "1000 km/h", "1000cm", "\u20ac1000",
    ],
    "b": [
        "B", "(B)", "B.", "**B**", "b", r"\text{B}", r"\textbf{(B)}", "B)", "The answer is B.", "Option B", "[B]",
        "`B`", "Answer: (B)", "**(B)**.", r"$\text{(B)}$",
    ],
    "42": [
        "42", "**42**", " 42 ", "The answer is 42", "$42$.", r"\boxed{42}", "x = 42", "(42)", "042", "42.0", "+42",
        "42%", r"42\%", r"42^\circ", "42\u00b0", "### 42", r"Answer: $\boxed{42}$", "**Answer:** 42",
        "Thus the final answer is **42**.",
    ],
    "3/2": [r"1\frac{1}{2}", "1 1/2", "1.5", r"\frac{3}{2}", r"\frac{1.5}{1}"],
    "-5": ["-5", "\u22125", "- 5", r"-\frac{10}{2}", "$-5$"],
    "new york": ["New York", "new  york.", '"New York"', "**New York**", "\u201cNew York\u201d"],
    "x^2+1": ["x^2+1", "x^2 + 1", "$x^2 + 1$"],
    "(1, 2)": ["(1,2)", "(1, 2)", r"\left(1, 2\right)"],
    "": ["", "  ", "$$", "**", ".", r"\boxed{}"],
}  # fmt: skip


@pytest.mark.parametrize(("spelled", "texts"), ALIKE.items())
def test_spellings_of_one_answer_come_out_alike(spelled: str, texts: list[str]) -> None:
    assert {text: canonical(text) for text in texts} == dict.fromkeys(texts, spelled)


def test_what_is_not_the_same_stays_apart() -> None:
    apart = [
        "5", "5 million", "5 pm", "5 am", "5x", "5!", "5 or 6", "-5", "1, 234", "1,234", "2^5", "2e5", "0/0", "1/0",
        "> 5", "\\Delta", "\\delta", "A: 1", "1:2", "12", "1 2", "5 dozen", "\\sqrt{5}", "5 + x",
        "9" * 3000, "9" * 3001,
    ]  # fmt: skip
    assert len({canonical(text) for text in apart}) == len(apart)


@given(st.fractions())
def test_a_number_is_read_as_it_is_written(value: Fraction) -> None:
    assert canonical(str(value)) == str(value)
    assert rational(canonical(rf"\frac{{{value.numerator}}}{{{value.denominator}}}")) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_zeros_and_thousands_separators_say_nothing(value: object) -> None:
    assert canonical(f"{value:,}0") == canonical(f"{value}") == canonical(f"${value}$")


@given(st.text(alphabet="\\{}$*_`\"'().,0123456789 ab=/textfracboxed^%:#", max_size=60) | st.text(max_size=30))
def test_no_text_is_too_odd(text: str) -> None:
    assert mathematical(canonical(text)) in (True, False)


@pytest.mark.parametrize(
    "unit", ["\\boxed{", "{", "*", "**a", " ", "\\text{", "1,", "1 ", "\\frac", "9", "a ", "$", "(", "x=", "\\,", '"']
)
def test_the_time_is_linear(unit: str) -> None:
    text = (unit * 400_000)[:400_000]
    began = time.process_time()
    canonical(text)
    assert time.process_time() - began < 5  # a quadratic one takes minutes


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        (r"2\sqrt{3}", True), ("2*sqrt(3)", True), ("x=1, x=2", True), ("{1, 2}", True), ("3", True), (r"\pi", True),
        ("new york", False), ("b", False), ("3 apples and 2 pears", False), ("a:(7*4)+13", False), ("5 pm", False),
        ("1 + " * 100, False),
    ],
)  # fmt: skip
def test_words_are_no_mathematics(text: str, expression: bool) -> None:
    assert mathematical(text) is expression
