"""Other ways to write the same: each with its neighbours that say something else."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.answers import equal_answers
from pdr_dspy.answers.compare import compare
from pdr_dspy.answers.linear import coefficients, same_equation
from pdr_dspy.answers.mathtext import wrapped
from pdr_dspy.answers.reading import read

SAME: dict[str, tuple[list[str], list[str]]] = {  # reference: what says the same, what does not
    "12500": (["12'500", "12.5k", "12.5K"], ["12.5M", "125k", "12.5"]),
    "2500000": (["2.5 million", "2.5M"], ["2.5k", "2.5 billion"]),
    "5 K": (["5 kelvin"], ["5000", "5k"]),
    "1234.56": (["1.234,56"], ["1.23456", "1.234,57", "1.234"]),
    "1234567": (["1.234.567"], ["1.234,567"]),
    "1.234, 56": (["1.234,56"], ["1234.56"]),
    "3.5": (["3{,}5"], ["3, 5", "3{,}05", "(3,5)"]),
    "1234": (["1{,}234"], ["1.234"]),
    "0.125": (["0{,}125"], ["125"]),
    "48": (
        ["It costs $48 per month.", "He paid $50 and got $2 back, so it cost $48."],
        ["It costs $48 per 2 months.", "It costs $48 or $50 per month.", "He paid $48 and got $2 back, so it cost $46.",
         "He paid $50, so it cost less than $48."],
    ),
    r"\frac{5}{8}": (["5 over 8", "5 divided by 8"], ["8 over 5"]),
    r"\sqrt[3]{5}": (["∛5"], ["√5", "∜5"]),
    "2x+3y=6": (
        [r"y = 2 - \frac{2}{3}x", "6=3y+2x", "4x+6y=12", "2x+3y-6=0", "y=-2x/3+2"],
        [r"y=2-\frac{3}{2}x", "2x+3y=5", "4x+6y=6", "2x+3y>6", "2a+3b=6"],
    ),
    "y-2=3(x-1)": (["y=3x-1"], ["y=3x-2"]),
    "3x+2y-7=0": ([r"y=\frac{7-3x}{2}", "y = (7-3x)/2"], [r"y=\frac{7+3x}{2}"]),
    "odd": (["an odd function"], ["an even function", "neither odd nor even"]),
    "f'(4)": ([], ["f(4)"]),
    "1/3": ([], ["third place"]),
    "[-1,4)": (["[-1, 4["], ["]-1,4]", "[-1,4]", "]-1,4["]),
    r"(-\infty,3]": ([r"]-\infty, 3]"], [r"]-\infty, 3["]),
    "(-2,2)": (["|x|<2", "2 > |x|", r"\lvert x\rvert<2"], [r"|x|\le 2", "|x|>2", "|x-1|<2", "|x|=2"]),
    "[-1,3]": ([r"|x-1| \le 2"], [r"|x+1| \le 2", "|x-1| < 2"]),
    r"(-\infty,-2)\cup(2,\infty)": (["|x|>2"], [r"|x| \ge 2"]),
    "[2,6]": (
        ["between 2 and 6, inclusive", "between 2 and 6 (inclusive)", "x is between 2 and 6 inclusive"],
        ["between 2 and 6, exclusive", "strictly between 2 and 6", "between 2 and 6", "between 2 and 7, inclusive"],
    ),
    r"\{1,4,9\}": ([r"\{1,4,9,9\}"], [r"\{1,4,4\}", "1,4,9,9", "(1,4,9,9)"]),
    r"\{1,1,2\}": ([r"\{1,2,1\}"], [r"\{1,2,2\}", r"\{1,2\}"]),
    "(0,0)": (["the origin"], ["not the origin", "the origin of y"]),
    "(0,1)": ([], ["the origin"]),
    r"\begin{pmatrix} 3 \\ -1 \\ 2 \end{pmatrix}": (
        [r"3\mathbf{i}-\mathbf{j}+2\mathbf{k}", r"3\hat{\imath} - \hat{\jmath} + 2\hat{k}"],
        [r"3\mathbf{i}+\mathbf{j}+2\mathbf{k}", r"3\mathbf{i}-\mathbf{j}", "3i-j+2"],
    ),
    "(3,4)": (["3i+4j"], ["3+4i", "4i+3j", "3i+4j+k"]),
    r"25\text{ m/s}": (
        ["25 ms^{-1}", r"25\ \mathrm{m\,s^{-1}}", "25 ms-1"],
        ["25 ms", "25 ms^{-2}", "25 km s^{-1}"],
    ),
    "5 per cm": (["5 cm^{-1}"], ["5 cm"]),
    "5 feet 4 inches": (["5'4\"", "5\u2032 4\u2033", "64 inches"], ["4'5\"", "5'5\""]),
    r"22.5^\circ": (["22°30'", r"22^\circ 30^{\prime}", "22°30'0\""], ["22°50'", "22°", "22.3°"]),
    "noon": (["12:00 PM", "12 noon", "12:00"], ["12:00 AM", "midnight", "noon or midnight"]),
    "3A7_{16}": (["0x3A7", "3A7 in hexadecimal"], ["0x3A8", "3A7_{15}"]),
    "101_2": (["0b101", "101 in binary"], ["0o101", "0b110"]),
    "east": (["It faces east.", "He is facing east."], ["It faces northeast.", "It faces east or west."]),
    "Navya": (
        ["Navya is the tallest.", "Navya is the oldest person."],
        ["Navya is the second tallest.", "Navya is not the tallest.", "Ravi is the tallest.", "Navya is tall"],
    ),
    "infinitely many": ([r"\infty", "an infinite number", "infinite"], [r"-\infty", "finite"]),
    "isosceles": (
        ["isosceles triangle", "It is an isosceles triangle."],
        ["right isosceles triangle", "not an isosceles triangle", "isosceles trapezoid"],
    ),
    "mean 12, variance 9": (
        ["The mean is 12 and the variance is 9.", "variance: 9, mean: 12"],
        ["The mean is 9 and the variance is 12.", "mean 9, variance 12"],
    ),
    r"\triangle PQR": (["triangle PQR", "ΔPQR"], ["angle PQR", "triangle PQS"]),
    r"\overline{AB}": (["segment AB"], ["segment AC"]),
    "3/4": (["3 out of 4"], ["4 out of 3", "3"]),
    "3": ([], ["3 out of 4", "x is at least 3"]),
    r"x\ge 3": (["x is at least 3", "x is greater than or equal to 3"], ["x is at most 3", "x is greater than 3"]),
    r"x\ne 2": (
        ["all real numbers except 2", r"\mathbb{R} \setminus \{2\}"],
        ["all real numbers except 3", "all real numbers except 2 and 3", "all real numbers"],
    ),
    "DNE": (["The limit does not exist."], ["It exists.", "0"]),
    "first": (["1st"], ["2nd"]),
    "Saturday": (["It falls on a Saturday."], ["It falls on Sunday."]),
    "July 4": (["the 4th of July"], ["the 14th of July"]),
    "1.5 hours": (["one and a half hours", "1h30m", "1h 30m"], ["1h 50m", "one and a quarter hours"]),
    "24": (["two dozen"], ["a dozen", "half a dozen"]),
    "7": (["seven (7)"], ["seven (8)", "eight (7)"]),
    "-3": (["negative three"], ["three", "minus two"]),
    "2/3": (["0.666...", "0.(6)"], ["0.66", "0.667", "0.6(6)"]),
    r"0.1\overline{6}": (["0.1666..."], ["0.1666"]),
    "1.5": (["0.5(3)"], ["0.(3)"]),
    "10 m": (["10m", "1000cm"], ["10cm", "10s"]),
    "10m": (["m*10"], ["11m", "10"]),
    "60 mph": (["60 miles an hour"], ["60 miles a minute", "60 miles"]),
    "f(x)=2x+1": (["y=2x+1"], ["g(x)=2x+1", "y=2x-1"]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "answer", "same"),
    [(ref, answer, i == 0) for ref, sides in SAME.items() for i in (0, 1) for answer in sides[i]],
)
def test_another_notation_says_the_same_and_its_neighbours_do_not(reference: str, answer: str, same: bool) -> None:
    outcome = compare(read(reference), read(answer))
    assert (outcome if isinstance(outcome, bool) else asyncio.run(equal_answers(reference, answer))) is same


@given(st.integers(1, 999), st.integers(0, 999), st.integers(0, 99))
def test_a_european_number_is_the_english_one(thousands: int, rest: int, part: int) -> None:
    english, european = f"{thousands},{rest:03}.{part:02}", f"{thousands}.{rest:03},{part:02}"
    assert compare(read(english), read(european)) is True
    assert compare(read(english), read(f"{thousands}.{rest:03},{(part + 1) % 100:02}")) is False


_FACTORS = st.integers(-9, 9).filter(bool)


@given(_FACTORS, _FACTORS, st.integers(-9, 9), _FACTORS)
def test_an_equation_multiplied_is_the_same_and_a_line_beside_it_is_not(a: int, b: int, c: int, times: int) -> None:
    sides = f"{a}x{b:+}y", str(c)
    assert same_equation(sides, (f"{times * a}x{times * b:+}y{-times * c:+}", "0")) is True
    assert same_equation(sides, (f"{times * a}x{times * b:+}y", str(times * c + 1))) is False


def test_what_is_not_linear_has_no_coefficients() -> None:
    assert coefficients(r"2x - \frac{2}{3}y + 1") == {"x": 2, "y": Fraction(-2, 3), "": 1}
    assert coefficients(r"3(x-1)/2 - \frac{7-3y}{2}") == {"x": Fraction(3, 2), "y": Fraction(3, 2), "": -5}
    for text in ("1/2x", "f(x)", "x(3)", "2(x", "1/0", "x/(1-1)", "(" * 50, "x^2", "xy", "x/y", r"\sin x", "2x+", ""):
        assert coefficients(text) is None, text


def test_the_argument_of_a_function_ends_at_a_written_sign() -> None:
    assert wrapped(r"\cos x \cdot 2") == r"\boxed{\cos(x) \cdot 2}"
    assert wrapped(r"\cos 2x") == r"\boxed{\cos 2x}"
    assert asyncio.run(equal_answers(r"2\cos x", r"\cos x \cdot 2"))
    assert not asyncio.run(equal_answers(r"\cos 2x", r"\cos x \cdot 2"))
