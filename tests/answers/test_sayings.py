"""What a sentence says, what a rate is said of, and what is no answer at all."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.answers import equal_answers
from pdr_dspy.answers.compare import compare
from pdr_dspy.answers.reading import read
from pdr_dspy.answers.units import scales, unit

SAID: dict[str, tuple[list[str], list[str]]] = {  # reference: what says the same, what does not
    "$48 per month": (
        ["$48/month", "48 dollars a month", "$48 monthly", "$48", "$576 per year"],
        ["$48 per year", "$48 per week", "$4 per month", "€48 per month", "$48 per month isn't it"],
    ),
    "5% per year": (["5% annually", "5 percent per annum", "5%"], ["5% per month", "0.5% per year"]),
    "60 words per minute": (["1 word per second"], ["60 words per hour", "60 pages per minute"]),
    "0.5": (["50%"], ["0.5%", "5%"]),
    "36": (["36%"], ["0.36%"]),
    "42": (["42</s>", "<b>42</b>", "hm 7</think>42<|im_end|>"], ["</s>", "`</think>`"]),
    "</s>": (["`</s>`", "The answer is **</s>**.", "```\n</s>\n```"], ["<s>", "`<s>`", "<|im_end|>", "<b>", "42</s>"]),
    "</think>": (["`</think>`", 'The answer is "</think>".'], ["<think>", "`<think>`"]),
    "<b>": (["`<b>`"], ["<i>", "b"]),
    "12%": (["0.12", "12"], ["0.12%", "1.2"]),
    "£350": (["350 pounds", "350"], ["$350", "350 kg"]),
    "350 lb": (["350 pounds"], ["£350"]),
    "25°C": (["25 C"], ["25°F", "25 F", "25 A"]),
    r"8.3 \frac{J}{mol\,K}": (["8.3 J/(mol K)", "R = 8.3 J/(mol K)"], ["8.3 J/mol", "8.3 kJ/(mol K)"]),
    "9.8 m/s^2": (["9.8 meters per second squared"], ["9.8 meters per second"]),
    "500 nm": (["0.5 μm", "0.5 µm", r"0.5\ \mu m"], ["0.5 mm", "5 μm"]),
    "17 yards": (["17-yard"], ["71-yard", "17-meter"]),
    "2m": (["2 m", "m*2"], ["2k"]),
    r"\pi r^2 h": ([r"\pi h r^2"], [r"\pi r h^2"]),
    r"\frac{1}{2}mv^2": (["0.5 m v^2"], ["0.5 m v"]),
    r"\frac{GMm}{r^2}": (["GMm/r^2", "F = G M m/r^2"], [r"-\frac{GMm}{r^2}", "GMm/r"]),
    r"\frac{1}{2}at^2": (["at^2/2"], [r"-\frac{1}{2}at^2"]),
    r"\frac{x^3}{3}+C": (["x^3/3 + c"], ["x^3/2 + c"]),
    "ax+b+c": ([], ["ax+b+C"]),
    "1,234": (["1234", r"1\,234"], ["1, 234", "1 and 234", "1 234 5"]),
    "3, 157": (["157, 3", "3,157"], ["3157"]),
    "-1, 0, 1": (["0, ±1", r"\pm 1, 0"], ["0, 1", "±1"]),
    "(1,2) and (2,1)": ([r"(x,y) \in \{(1,2),(2,1)\}"], [r"(x,y)\in\{(1,2)\}"]),
    r"\begin{pmatrix} 2 & -1 \\ 0 & 3 \end{pmatrix}": (
        [
            r"A^{-1} = \begin{pmatrix} 2 & -1 \\ 0 & 3 \end{pmatrix}",
            r"M = \left[\begin{array}{rr} 2 & -1 \\ 0 & 3 \end{array}\right]",
        ],
        [r"M = \begin{pmatrix} 2 & 0 \\ -1 & 3 \end{pmatrix}",
         r"\left[\begin{array}{rr} 2 & 1 \\ 0 & 3 \end{array}\right]"],
    ),
    r"(-\infty,-2]\cup[3,\infty)": (
        [r"\{x : x \le -2 \text{ or } x \ge 3\}"],
        [r"\{x : x < -2 \text{ or } x \ge 3\}", r"\{x : x \le -2\}"],
    ),
    r"[0,\infty)": (["all nonnegative real numbers"], ["all positive real numbers"]),
    "[0,10]": (["t ∈ [0,10]", "the interval [0,10]"], ["t ∈ (0,10)"]),
    "7:3": ([r"7\colon 3", "the ratio 7:3"], [r"3\colon 7"]),
    "(0,-4)": (["the point (0,-4)"], ["the point (-4,0)"]),
    "2A_{16}": ([r"2\text{A}_{16}"], [r"2\text{B}_{16}"]),
    r"\binom{10}{3}": (["10 choose 3", r"{10 \choose 3}", "120"], ["10 choose 4", "720"]),
    "6.6e-34": (["h ≈ 6.6e-34 J s", r"h \approx 6.6 \times 10^{-34}"], [r"h \approx 6.6 \times 10^{34}"]),
    r"\frac{1}{3}": ([r"\frac{1}{3} \approx 0.333"], [r"\frac{1}{2} \approx 0.333", r"\frac{1}{3} \approx 0.3 or 0.4"]),
    "3:45 PM": (["The train arrives at 3:45 PM.", "15:45"], ["The train arrives at 3:45 AM.", "from 3:45 PM to 4 PM"]),
    "9 AM": (["The shop opens at 9 a.m."], ["The shop opens at 9 p.m.", "The shop opens at 9 or 10 a.m."]),
    "72": (
        ["She sold **72** clips in April and May.", "She sold 72 more.", "72 is the answer.", "final answer → 72",
         "72 (exactly)", "There are 72 more marbles in the bag."],
        ["She may have sold 72 clips.", "She sold more than 72.", "If 72 is the answer, I am wrong.",
         "72 or 73 is the answer.", "72 isn't the answer"],
    ),
    "3": (["There are exactly 3 such values: 1, 4 and 9."], ["There are exactly 4 such values: 1, 2, 3 and 9.",
                                                            "There are exactly 3 such values: 1 and 4."]),
    "(x-2)^2+y^2=25": (["The circle is $(x-2)^2+y^2=25$."], ["The circle is $(x+2)^2+y^2=25$."]),
    "y^2=8x": (["The parabola has equation y^2 = 8x."], ["The parabola has equation y^2 = -8x."]),
    "(1,2,3)": (["The triple is (1,2,3)."], ["The triple is (3,2,1)."]),
    "4": ([], ["the triple of 4"]),
    r"\infty": (["The series diverges to infinity."], ["The series diverges to negative infinity."]),
    "linear": (["It's linear."], ["It's not linear."]),
    "all odd n": (["n is odd", "odd n"], ["n is even", "all n", "not odd"]),
    "B": (["Since A and C are wrong, B is correct.", "I would go with B."],
          ["It could be B.", "It might be B", "If A is wrong, B is correct", "I would go with B or C"]),
    "J. K. Rowling": (["JK Rowling", "J.K. Rowling", "j. k. rowling"], ["J. R. R. Tolkien", "J"]),
    "U.S.A.": (["USA", "U. S. A."], ["U.S.S.R."]),
    "B. Paris": (["B", "B) Paris"], ["B) London", "C"]),
    "p=3, q=7": (["q=7, p=3"], ["3 or 7"]),
    "red, blue": (["blue and red"], ["red or blue"]),
    "(3,4)": ([], ["(3,4)\n(4,3)"]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "answer", "same"),
    [(ref, answer, i == 0) for ref, sides in SAID.items() for i in (0, 1) for answer in sides[i]],
)
def test_what_is_said_is_taken_as_a_careful_person_takes_it(reference: str, answer: str, same: bool) -> None:
    outcome = compare(read(reference), read(answer))
    assert (outcome if isinstance(outcome, bool) else asyncio.run(equal_answers(reference, answer))) is same


@given(st.fractions(min_value=0, max_value=1).filter(lambda share: 0 < share < 1))
def test_a_share_is_its_percentage_and_never_as_many_percent(share: object) -> None:
    assert compare(read(str(share)), read(f"{share} percent")) is False


@given(st.integers(1, 10**6), st.sampled_from(["dollars", "apples", "percent"]))
def test_a_rate_is_compared_by_what_it_is_said_of(count: int, of: str) -> None:
    assert compare(read(f"{count} {of} per month"), read(f"{12 * count} {of} per year")) is True
    assert compare(read(f"{count} {of} per month"), read(f"{count} {of} per year")) is False
    assert compare(read(f"{count} {of} per month"), read(f"{count} {of} per week")) is False
    assert compare(read(f"{count} {of} per month"), read(f"{count} {of}")) is True


def test_a_rate_keeps_what_it_is_said_of_apart() -> None:
    hourly = unit("dollars per hour")
    assert hourly is not None and hourly.per is not None and hourly.one("dollar")
    assert scales(hourly, unit("dollars")) == (1, 1)
    assert scales(hourly, unit("dollars per apple")) is None
    speed = unit("miles per hour")
    assert speed is not None and speed.per is None


@pytest.mark.parametrize(
    "piece",
    ["A and B are wrong, ", "since ", r"\approx ", r"\begin{", "{1 \\choose ", "J. ", "1, 234, ", "3:45 ", "x is ",
     "12 per ", "the point ", "x = ", "There are 3 x: "],
)  # fmt: skip
def test_reading_stays_quick_on_what_a_rule_begins_with(piece: str) -> None:
    start = time.process_time()
    for times in (1900 // len(piece), 20000):  # as long as an answer is read for what it says, and far longer
        read(piece * times)
    assert time.process_time() - start < 3.0
