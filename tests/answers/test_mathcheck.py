"""When two mathematical texts are equal: what runs in a worker, here in this process."""

from __future__ import annotations

import contextlib

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from pdr_dspy.answers.mathcheck import TooLarge, compare
from pdr_dspy.answers.mathcheck.comparing import _is_open
from pdr_dspy.answers.mathcheck.rationals import rational_value


def equal(reference: str, answer: str, *, digits: int = 6, sets: bool = True) -> bool:
    return compare(reference, answer, True, digits, sets)


@pytest.mark.parametrize(
    ("reference", "answer", "same"),
    [
        # numbers are exact
        (r"\frac{1}{2}", "0.5", True), (r"\frac12", r"\dfrac{2}{4}", True), ("1,000", "1000", True),
        (r"\sqrt{12}", r"2\sqrt{3}", True), (r"\sqrt{12}", r"2\sqrt{2}", False), ("2^{10}", "1024", True),
        (r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt{2}", True), (r"\pi", "3.14", False), (r"\pi+10^{-15}", r"\pi", False),
        ("10^{-20}", r"2\cdot 10^{-20}", False), ("0.0000001", "0.0000002", False), ("3/0", "3/0", False),
        (r"\log_2 8", "3", True), (r"\sin\frac{\pi}{6}", r"\frac{1}{2}", True), ("5!", "120", True),
        (r"\binom{5}{2}", "10", True), ("2^{2023}", r"2\cdot 2^{2022}", True), ("2^{2023}", "2^{2022}", False),
        (r"\frac{\pi}{4}", "45", False), ("1e3", "1000", True), ("1.5e3", "1500", True), ("3e8", "3*e*8", False),
        (r"4.5\times 10^{33}", "4.5e33", True), (r"\frac{1}{\mathrm{e}}", "e^{-1}", True),
        # a whole text: nothing is dropped, blanks are no multiplication
        ("12", "1 2", False), ("12", r"1\quad 2", False), ("123", "1, 23", False), ("1, 234", "1234", False),
        ("5", "5t", False), ("2", "2h", False), ("3", "3m", False), ("12", r"12\text{ cm}", False),
        ("52", "52_8", False), ("52_8", "52_9", False), ("52_8", "52_8", True), ("3:15", "0.2", False),
        ("2:3", "2:3", True), ("1/2", r"\frac{1}{2}\text{ if } x>0", False), ("3", "not 3", False),
        ("20", "20 or 30", False),
        ("1", r"\prod_{i=1}^{1} 2", False), (r"\boxed{3}", "3", True), (r"$\boxed{\frac{1}{2}}$", "0.5", True),
        # variables
        ("xy", "yx", True), ("x+1", "1+x", True), ("x+1", "y+1", False), ("(x+1)^2", "x^2+2x+1", True),
        ("(x+1)^2", "x^2+2x+2", False), (r"\frac{x^2-1}{x-1}", "x+1", True), (r"\sin^2 x+\cos^2 x", "1", True),
        (r"\pi(R^2-r^2)", "0", False), (r"\pi(R^2-r^2)", r"\pi(r^2-R^2)", False),
        (r"\pi(R^2-r^2)", r"\pi(R-r)(R+r)", True),
        (r"\sqrt{x^2}", "x", False), ("e^{2t}", r"(e^t)^2", True), ("3e^{2t}", "3e^{3t}", False),
        ("a_1+a_2", "a_2+a_1", True),
        # complex numbers
        ("2+3i", "3i+2", True), ("2+3i", "2-3i", False), (r"-8-8\sqrt{3} i", r"-8-8i\sqrt3", True),
        (r"16e^{4\pi i/3}", r"-8-8\sqrt{3}i", True), ("i^2", "-1", True), (r"\sum_{i=1}^{3} i", "6", True),
        # decimals stand for a value from six digits on
        (r"\frac{1}{3}", "0.333", False), (r"\frac{1}{3}", "0.333333", True), (r"\frac{1}{3}", "0.333339", False),
        (r"\sqrt{5}", "2.236068", True), (r"\sqrt{5}", "2.236", False), (r"\sqrt{5}", "2.236078", False),
        ("3.14159", r"\pi", True), ("0.1", "0.10", True), ("0.123456", "0.123457", False), ("5", "5.000001", False),
        # order
        ("(1,2)", "(1,2)", True), ("(1,2)", "(2,1)", False), ("(2,1)", "(1,2)", False), ("(3,1,2)", "(1,2,3)", False),
        ("(1,2)", r"\{1,2\}", False), (r"\{1,2\}", "(1,2)", False), (r"\{1,2\}", r"\{2,1\}", True),
        (r"\{2,1\}", "(2,1)", False), ("1, 2", "2, 1", True), ("1,2,3", "1,2", False), ("16,3,1,1", "16,3,1", False),
        ("1,1,2", "1,2,2", False), (r"\{1,1,2\}", r"\{1,2\}", True), ("(0.5,1)", r"(\frac{1}{2},1)", True),
        (r"\left(\frac{1}{\mathrm{e}},1\right)", "(1/e, 1)", True), (r"\{5\}", "5", True),
        (r"1\pm\sqrt{2}", r"1+\sqrt{2}, 1-\sqrt{2}", True), (r"\{\sqrt{2},1\}", r"\{1,1.5\}", False),
        ("(1,2),(3,4)", "(3,4),(1,2)", True), ("(1,2),(3,4)", "(2,1),(3,4)", False),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)", True), (r"\begin{pmatrix}1\\2\end{pmatrix}", "(2,1)", False),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&\frac{8}{2}\end{pmatrix}", True),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}", False),
        # names
        ("3", "x=3", True), ("x=3", "3", True), ("x=3", "y=3", False), ("x=3", "x=4", False), ("x+y=1", "1", False),
        ("1", "x+y=1", False), ("1", "9=1", False), ("5", "2+3=5", True), ("x=1,x=2", r"\{1,2\}", True),
        ("x=1,x=2", "x=2 or x=1", True), ("x=2,x=3", "x=3", False), ("x=3, y=4", "(3,4)", True),
        ("x=3, y=4", "(4,3)", False),
        ("x=3, y=4", "y=4, x=3", True), ("x=3, y=4", "x=4, y=3", False), ("f(x)=x^2", "x^2", True),
        ("f(x)=x^2", "f(x)=x^3", False),
        # equations and inequalities
        ("y=2x+1", "2y=4x+2", True), ("y=2x+1", "y-1=2x", True), ("y=2x+1", "y=2x-1", False),
        ("y=2x+1", "y=3x+1", False),
        ("x^2+y^2=4", "x^2+y^2-4=0", True), ("x^2+y^2=4", "x^2+y^2=9", False), ("x^2=-1", "x^2=-2", False),
        ("xy=1", r"y=\frac{1}{x}", True),
        ("x>5", "5<x", True), ("x>5", "x<5", False), (r"x>5", r"x\ge 5", False), ("2a-5>0", r"a>\frac{5}{2}", True),
        ("2a-5>0", r"a<\frac{5}{2}", False), ("b>a>c", "c<a<b", True), ("b>a>c", "a>b>c", False),
        ("-x<2", "x>-2", True),
        # intervals
        (r"(5,\infty)", r"[5,\infty)", False), (r"(5,\infty)", "x>5", True), ("x>5", r"(5,\infty)", True),
        ("[2,3)", r"2\le x<3", True), ("[2,3)", r"2<x<3", False), ("(2,3)", "2<x<3", True),
        ("[0,2]", r"\{x \mid 0 \le x \le 2\}", True), ("[0,2]", r"\{x : 0 < x \le 2\}", False),
        (r"(-\infty,1)\cup(3,\infty)", "x<1 or x>3", True), (r"(-\infty,1)\cup(3,\infty)", "x<1 or x>4", False),
        (r"(-\infty,1)\cup(3,\infty)", r"(3,\infty)\cup(-\infty,1)", True),
        (r"(-\infty,1)\cup(3,\infty)", r"(-\infty,1]\cup(3,\infty)", False),
        (r"\mathbb{R}", r"(-\infty,\infty)", True), (r"[1,2]\cup[2,3]", "[1,3]", True), (r"\emptyset", r"\{1\}", False),
        (r"\emptyset", r"\emptyset", True), ("(1,2]", "[1,2)", False), ("[1,2]", "1,2", False),
    ],
)  # fmt: skip
def test_equal_as_a_careful_person_says(reference: str, answer: str, same: bool) -> None:
    assert equal(reference, answer) is same
    assert equal(answer, reference) is same


def test_options() -> None:
    assert equal(r"\frac{1}{3}", "0.333", digits=3) and not equal(r"\frac{1}{3}", "0.333333", digits=0)
    assert not equal(r"(5,\infty)", "x>5", sets=False) and equal(r"(5,\infty)", r"(5,\infty)", sets=False)
    assert compare("4", "The answer is $2+2$.", False, 6, True)
    assert not compare("4", "The answer is $2+2$.", True, 6, True)


@pytest.mark.parametrize("text", ["9^{9^{9^9}}", "(10^{6})!", r"\binom{10^{9}}{10^8}", r"\{1, 10^{10^{10}}\}"])
def test_what_can_not_be_written_out(text: str) -> None:
    with pytest.raises(TooLarge):
        equal(text, "12")


_INTEGERS = st.integers(-50, 50)


@settings(max_examples=60, deadline=None)
@given(_INTEGERS, _INTEGERS, st.integers(1, 20), st.integers(2, 9))
def test_rewriting_keeps_a_value_and_one_more_is_another(a: int, b: int, c: int, k: int) -> None:
    assert equal(rf"\frac{{{a}}}{{{c}}}", rf"\frac{{{a * k}}}{{{c * k}}}")
    assert not equal(rf"\frac{{{a}}}{{{c}}}", rf"\frac{{{a * k + 1}}}{{{c * k}}}")
    assert equal(rf"(x+{c})(x-{k})", f"x^2+{c - k}x-{c * k}".replace("+-", "-"))
    assert not equal(rf"(x+{c})(x-{k})", f"x^2+{c - k + 1}x-{c * k}".replace("+-", "-"))
    assert equal(rf"{c}\sqrt{{{k}}}", rf"\sqrt{{{c * c * k}}}") and not equal(
        rf"{c}\sqrt{{{k}}}", rf"\sqrt{{{c * c * k + 1}}}"
    )
    assert equal(f"({a},{b},{c})", f"({a}.0, {b}, {c})") and equal(f"({a},{b})", f"({b},{a})") is (a == b)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=r"\{}()[]^_,;=<>+-*/|!.12xyi ", max_size=30))
def test_a_text_is_never_equal_to_what_it_does_not_say(text: str) -> None:
    with contextlib.suppress(TooLarge):
        assert not (equal("17.25", text) and equal("19", text))


_X, _Y = sympy.symbols("x y", real=True)
_FUNCTIONS = st.recursive(
    st.sampled_from([_X, _Y]) | st.fractions(-9, 9, max_denominator=9).map(sympy.Rational),
    lambda parts: (
        st.lists(parts, min_size=2, max_size=3).map(lambda each: sympy.Add(*each, evaluate=False))
        | st.lists(parts, min_size=2, max_size=3).map(lambda each: sympy.Mul(*each, evaluate=False))
        | st.tuples(parts, st.integers(-3, 3)).map(lambda both: sympy.Pow(*both, evaluate=False))
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(_FUNCTIONS, st.fractions(-9, 9, max_denominator=9), st.fractions(-9, 9, max_denominator=9))
def test_a_rational_function_has_its_value(function: sympy.Expr, x: object, y: object) -> None:
    where = {_X: sympy.Rational(x), _Y: sympy.Rational(y)}
    value = rational_value(function, where)
    parts = [part.xreplace(where).doit() for part in sympy.preorder_traversal(function)]
    # Without a value where a part has none, though sympy gives the whole one: (1/0)**0 is 1 there.
    assert value == parts[0] if value is not None else any(not p.is_finite or abs(p) > 2**4096 for p in parts)


@pytest.mark.parametrize("part", [sympy.sqrt(_X), 2**_X, _X**65, sympy.pi * _X, sympy.sin(_X), 1 / (_X - 3), _X + _Y])
def test_what_is_no_rational_function_at_a_point_has_no_value_there(part: sympy.Expr) -> None:
    assert rational_value(part, {_X: sympy.Integer(3)}) is None
    huge = _X
    for _ in range(4):
        huge = sympy.Pow(huge, 64, evaluate=False)
    assert rational_value(huge, {_X: sympy.Integer(3)}) is None


@pytest.mark.parametrize("low", [-sympy.oo, sympy.Integer(-2), sympy.Rational(1, 3), sympy.sqrt(2)])
@pytest.mark.parametrize("high", [sympy.oo, sympy.Rational(7, 2), sympy.pi])
@pytest.mark.parametrize(("left", "right"), [(True, True), (True, False), (False, True), (False, False)])
def test_an_interval_is_open_where_sympy_says_so(low: sympy.Expr, high: sympy.Expr, left: bool, right: bool) -> None:
    interval = sympy.Interval(low, high, left, right)
    assert _is_open(interval) is interval.is_open
