"""Parse trees that are kept: the same as ANTLR's own for every text."""

from __future__ import annotations

from typing import Any

import pytest
from antlr4 import ParserRuleContext, PredictionMode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from latex2sympy2_extended.antlr_parser import PSLexer
from latex2sympy2_extended.latex2sympy2 import _Latex2Sympy

from pdr_dspy.answers.mathcheck import trees

_PARTS = (
    *"0123456789", *"0179", *"xyied", *"+-*/^_=<>,.;:!|%' ", *"(){}[]", "12", "1,000", "0.5", "2.5e-3", r"\frac{1}{2}",
    r"\frac", r"\sqrt", r"\sqrt[3]{2}", r"\pi", r"\cdot ", r"\times ", r"\le ", r"\cup ", r"\infty", r"\{", r"\}",
    r"\left(", r"\right)", r"\sin ", r"\log_{2}", r"\binom{5}{2}", r"\pm ", r"\mathbb{R}", r"\text{ or }", "x_{12}",
    r"\char000391", r"\char000392", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\int_0^1 x dx", r"\frac{d}{dx}", "^{2}",
)  # fmt: skip
_TEXTS = st.lists(st.sampled_from(_PARTS), max_size=12).map("".join)


def said(part: Any) -> Any:
    """Everything of a tree that a reader may look at."""
    if not isinstance(part, ParserRuleContext):
        return (part.symbol.type, part.symbol.text, part.symbol.tokenIndex)
    ends = [(end.type, end.text, end.start, end.stop, end.tokenIndex) for end in (part.start, part.stop)]
    inner = part.start.getInputStream().getText(part.start.start, part.stop.stop)
    return (type(part), ends, inner, part.getSourceInterval(), [said(child) for child in part.children or ()])


def of_antlr(text: str) -> Any:
    parser = _Latex2Sympy().create_parser(text)
    parser._interp.predictionMode = PredictionMode.LL
    try:
        return said(parser.math())
    except Exception:
        return None


def kept(text: str) -> Any:
    try:
        return said(trees.tree(text))
    except Exception:
        return None


@settings(max_examples=150, deadline=None)
@given(_TEXTS, st.lists(st.sampled_from("0123456789"), min_size=1, max_size=5))
@example(r"\frac{12}{345}", ["9", "0", "1"])
@example(r"\char000391+\char000392", ["3"])
def test_a_tree_is_the_one_that_antlr_builds(text: str, digits: list[str]) -> None:
    others = iter(digits * 200)
    other = text if "\\char" in text else "".join(next(others) if c.isdecimal() else c for c in text)
    for each in (text, other, text):
        assert kept(each) == of_antlr(each)


def test_only_named_characters_tell_one_digit_from_another() -> None:
    digits = set(map(ord, "0123456789"))
    rules = set()
    for state in PSLexer.atn.states:
        for transition in state.transitions if state is not None else ():
            if transition.label is not None:
                taken = {digit for digit in digits if transition.matches(digit, 0, 0x10FFFF)}
                if taken not in (set(), digits):
                    rules.add(PSLexer.ruleNames[state.ruleIndex])
    assert rules == {"GREEK_LETTER"}


@pytest.mark.parametrize("text", ["1+", "(", r"\frac{1}", "1)", "x=="])
def test_what_is_no_expression_stays_none(text: str) -> None:
    for _ in range(2):
        with pytest.raises(Exception):  # noqa: B017 (ANTLR's listener raises no other)
            trees.tree(text)


def test_long_texts_are_read_and_not_kept() -> None:
    before = trees._kept.cache_info().currsize
    text = "+".join(f"{n}x" for n in range(40))
    assert kept(text) == of_antlr(text) is not None
    assert trees._kept.cache_info().currsize == before
