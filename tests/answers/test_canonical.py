"""One spelling for the many of an answer."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.answers.canonical import canonical, rational

ALIKE = {
    "1/2": [
        r"\frac{1}{2}", r"\dfrac{1}{2}", r"\frac12", r"\tfrac 1 2", "1/2", "0.5", ".5", "0.50", "$1/2$", "3/6", "50%",
        r"\(\frac{1}{2}\)", r"\boxed{0.5}", r"so it is $\boxed{\frac{1}{2}}$.", r"50\%", "\u00bd", "one half", "5e-1",
    ],
    "1000": [
        "1000", "1,000", "1{,}000", r"1\,000", r"1,\!000", "1000.0", "$1,000$", "$1000$", "$1,000.$", "1e3", "01000",
        "1 000", "10^3", r"1.0 \times 10^{3}", "one thousand", "\uff11\uff10\uff10\uff10",
    ],
    "1000 dollar": ["1000 dollars", r"\$1000", "$1000.", r"The answer is $\$1,000$.", "$1,000.00", "100000 cents"],
    "10 m": ["1,000 cm", r"10\text{ m}", r"1000\ \mathrm{cm}", "1000cm", "10 meters", "0.01 km"],
    "b": [
        "B", "(B)", "B.", "**B**", "b", r"\text{B}", r"\textbf{(B)}", "B)", "The answer is B.", "Option B", "[B]",
        "`B`", "Answer: (B)", "**(B)**.", r"$\text{(B)}$", "B) 12", "(B) is correct.",
    ],
    "42": [
        "42", "**42**", " 42 ", "The answer is 42", "$42$.", r"\boxed{42}", "x = 42", "(42)", "042", "42.0", "+42",
        "### 42", r"Answer: $\boxed{42}$", "**Answer:** 42", "Thus the final answer is **42**.", "#### 42",
        "42<|im_end|>",
        "42 (since 6*7 = 42)", "42\n\nExplanation: 6*7 = 42.", "<answer>42</answer>", '{"answer": 42}', "6*7 = 42",
        "42 [[ ## completed ## ]]", r"\color{red}{42}", "forty-two", "\\boxed{42", "\u7b54\u6848\uff1a42\u3002",
    ],
    "3/2": [r"1\frac{1}{2}", "1 1/2", "1.5", r"\frac{3}{2}", r"\frac{1.5}{1}", "1\u00bd"],
    "-5": ["-5", "\u22125", "- 5", r"-\frac{10}{2}", "$-5$", "\u20135", r"-\boxed{5}"],
    "new york": ["New York", "new  york.", '"New York"', "**New York**", "\u201cNew York\u201d", "The New York"],
    "x^2+1": ["x^2+1", "x^2 + 1", "$x^2 + 1$"],
    "(1, 2)": ["(1,2)", "(1, 2)", r"\left(1, 2\right)", "\uff081\uff0c2\uff09", "The point is (1, 2)."],
    "": ["", "  ", "$$", "**", ".", r"\boxed{}"],
}  # fmt: skip


@pytest.mark.parametrize(("spelled", "texts"), ALIKE.items())
def test_spellings_of_one_answer_come_out_alike(spelled: str, texts: list[str]) -> None:
    assert {text: canonical(text) for text in texts} == dict.fromkeys(texts, spelled)


def test_what_is_not_the_same_stays_apart() -> None:
    apart = [
        "5", "5 million", "5 pm", "5 am", "5x", "5!", "5 or 6", "-5", "1, 234", "1,234", "2^5", "2e5", "0/0", "1/0",
        "> 5", "\\Delta", "\\delta", "A: 1", "1:2", "12", "1 2", "1\n3", "5 dozen", "\\sqrt{5}", "5 + x", "not 5",
        "5 cm", "5 kg", "5_8", "5_9", "AB", "ab", "1 1/2", "11/2", "31/2", "3 1/2", "9" * 3000, "9" * 3001,
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
    assert isinstance(canonical(text), str)


@pytest.mark.parametrize(
    "unit",
    ["\\boxed{", "{", "*", "**a", " ", "\\text{", "1,", "1 ", "\\frac", "9", "a ", "$", "(", "x=", "\\,", '"', "\n",
     "is ",
     "answer: ", "\\boxed{1} ", "<answer>", "or ", "- ", "\u221a", "\u00bd", "no, ", "(a ", "1+", "a_", "[", "\\{"],
)  # fmt: skip
@pytest.mark.parametrize("length", [400, 1_900, 400_000])
def test_the_time_is_linear(unit: str, length: int) -> None:
    text = (unit * length)[:length]
    began = time.process_time()
    canonical(text)
    assert time.process_time() - began < 5  # a quadratic one takes minutes
