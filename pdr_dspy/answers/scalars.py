"""Whether two numbers or expressions are equal, with their units. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from pdr_dspy.answers.blanks import squeezed
from pdr_dspy.answers.classify import classify
from pdr_dspy.answers.evaluate import Value, close, evaluate
from pdr_dspy.answers.figures import same_figure
from pdr_dspy.answers.nodes import Scalar
from pdr_dspy.answers.numbers import shortened
from pdr_dspy.answers.outcomes import Ask, Outcome, matching
from pdr_dspy.answers.units import Unit, scales

_LONGEST = 400
"""Characters of what math-verify is asked about."""
_GLUED = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-zA-Z]{1,3})")
_LETTERS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]+")
_UNFINISHED = re.compile(
    r"[<>=]|\\(?:le|ge|ne|in|to|approx|mod|pmod|bmod|equiv|cup|cap|parallel|perp)(?![a-zA-Z])|[-+*/^_]\s*\Z|\A\s*[*/^_]"
)
_NAMESAKES = {
    "sterling": re.compile(r" pounds?\Z"), "celsius": re.compile(r"[0-9] ?C\Z"),
    "fahrenheit": re.compile(r"[0-9] ?F\Z"),
}  # fmt: skip
_CONSTANT = re.compile(r"\+ ?[cCkK]\Z")
_ANTIDERIVATIVE = re.compile(r"(?<![\\a-zA-Z])[xtuyz](?![a-zA-Z])|\\theta")
_ROUNDING = Fraction(1, 10**14)
_DIGITS = 15  # of a decimal that a machine wrote; two of them are compared to the last digit


def expressions(reference: str, answer: str) -> Outcome:
    """Whether two bare expressions are equal."""
    one, other = classify(reference), classify(answer)
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        return scalars(one, other)
    return squeezed(reference) == squeezed(answer)


def scalings(first: Scalar, second: Scalar) -> list[tuple[Fraction, Fraction]]:
    """What two are multiplied by before they are compared, in each way they may be meant; none: their units differ.

    A plain number beside a percentage may be as many percent, or the share. Below 1 it is a share: 0.5 is not 0.5%.
    """
    first, second = _alike(first, second), _alike(second, first)
    factors = scales(first.unit, second.unit)
    if factors is None:
        return []
    shares = [each.unit is not None and each.unit.one("percent") for each in (first, second)]
    bare = second if shares == [True, False] else first if shares == [False, True] else None
    if bare is None or bare.unit is not None:
        return [factors]
    size = _value(bare)
    share = (Fraction(1, 100), Fraction(1)) if shares[0] else (Fraction(1), Fraction(1, 100))
    return [share] if size is not None and _below_one(size) else [factors, share]


def _alike(scalar: Scalar, other: Scalar) -> Scalar:
    """`350 pounds` as money beside `£350`, `25 C` as a temperature beside `25°C`."""
    if other.unit is not None and len(other.unit.dimension) == 1:
        name = _NAMESAKES.get(other.unit.dimension[0][0])
        if name is not None and name.search(scalar.whole):
            return replace(scalar, unit=other.unit)
    return scalar


def _below_one(size: Value) -> bool:
    return 0 < size**2 < 1 if isinstance(size, Fraction) else 0 < abs(size) < 1


def scalars(reference: Scalar, answer: Scalar) -> Outcome:
    """Whether two are equal. A unit counts where both have one; percent and degrees also say a plain number."""
    reference, answer = _spaced(reference, answer), _spaced(answer, reference)
    ways = scalings(reference, answer)
    if not ways:
        return _angles(reference, answer)
    if reference.listed and answer.listed and reference.value != answer.value and ways[0][0] == ways[0][1]:
        if reference.unit or answer.unit or len(reference.listed) != len(answer.listed):
            return False
        return matching([[one == other for other in answer.listed] for one in reference.listed])
    outcomes = [_plain(reference, answer, factors) for factors in ways]
    outcome = True if True in outcomes else next((each for each in outcomes if each is not False), False)
    for one, other in ((reference, answer), (answer, reference)):
        if outcome is not True and one.unit is not None and other.unit is None and one.unit.one("degree"):
            return _radians(one, other, outcome)
    return outcome


def _spaced(scalar: Scalar, other: Scalar) -> Scalar:
    """`10m` as ten metres, where the other side has a unit; `10 m` as a product, where it is an expression."""
    if scalar.unit is not None and other.unit is None and _product(scalar.whole) and _variable(other.text):
        return Scalar(scalar.whole)
    measured = (
        other.unit is not None and other.unit.dimension and not (_product(other.whole) and _variable(scalar.text))
    )
    glued = _GLUED.fullmatch(scalar.text) if measured and scalar.unit is None else None
    inner = classify(f"{glued[1]} {glued[2]}") if glued else scalar
    return inner if isinstance(inner, Scalar) and inner.unit is not None and inner.unit.dimension else scalar


def _product(whole: str) -> bool:
    """Whether a number with its unit may be a product of variables."""
    return bool(whole) and all(len(run) == 1 for run in _LETTERS.findall(whole))


def _variable(text: str) -> bool:
    """Whether an expression has variables, and is no number right before a unit."""
    letters = {run for run in _LETTERS.findall(text) if run not in ("e", "i", "pi")}
    return bool(letters) and not _GLUED.fullmatch(text) and evaluate(text) is None


def _plain(first: Scalar, second: Scalar, factors: tuple[Fraction, Fraction]) -> Outcome:
    scale, other_scale = factors
    if first.value is not None and second.value is not None:
        one, other = first.value * scale, second.value * other_scale
        return one == other or (
            _machine(first.text) != _machine(second.text) and abs(one - other) <= _ROUNDING * max(abs(one), abs(other))
        )
    if scale == other_scale and squeezed(first.text) == squeezed(second.text):
        return True
    if (same := same_figure(first.text, second.text)) is not None:
        return same
    for number, short in ((first, second), (second, first)):
        if number.value is not None and (long := shortened(short.text)) is not None:
            return number.value == long
    value, other_value = _value(first), _value(second)
    if value is not None and other_value is not None:
        decided = close(_scaled(value, scale), _scaled(other_value, other_scale))
        if decided is not None:
            return decided
    if any(first.text.count(mark) != second.text.count(mark) for mark in "'\""):
        return False  # math-verify takes `f'(4)` for `f(4)`
    if "\\infty" in (first.text.lstrip("-"), second.text.lstrip("-")):
        return False
    first, second = _renamed_constant(first, second), _renamed_constant(second, first)
    letters, other_letters = set(_LETTERS.findall(first.text)), set(_LETTERS.findall(second.text))
    if (
        letters != other_letters
        and {*"".join(letters)} != {*"".join(other_letters)}
        and _folded(letters) == _folded(other_letters)
    ):
        return False  # `AB` is a line, and `ab` is a product
    if not _expression(first.text) or not _expression(second.text):
        return False
    return Ask(_multiplied(first, scale), _multiplied(second, other_scale))


def _renamed_constant(scalar: Scalar, other: Scalar) -> Scalar:
    """An antiderivative's `+ c` as `+ C`, where the other side writes it so and neither has another use of it."""
    ends = [_CONSTANT.search(each.text) for each in (scalar, other)]
    if not ends[0] or not ends[1] or not all(_ANTIDERIVATIVE.search(each.text) for each in (scalar, other)):
        return scalar
    heads = [each.text[: end.start()] for each, end in zip((scalar, other), ends, strict=True) if end]
    if any(re.search(r"(?<![\\a-zA-Z])[aAbBcCkK](?![a-zA-Z])", head) for head in heads):
        return scalar
    return replace(scalar, text=f"{scalar.text[: ends[0].start()]}+ C")


def _folded(letters: set[str]) -> set[str]:
    return {*"".join(letters).casefold()}


def _value(scalar: Scalar) -> Value | None:
    return scalar.value if scalar.value is not None else evaluate(scalar.text)


def _scaled(value: Value, factor: Fraction) -> Value:
    return value * factor if isinstance(value, Fraction) else value * float(factor)


def _multiplied(scalar: Scalar, factor: Fraction) -> str:
    if scalar.value is not None:
        return _latex(scalar.value * factor)
    return scalar.text if factor == 1 else f"{_latex(factor)} \\cdot ({scalar.text})"


def _latex(value: Fraction) -> str:
    sign = "-" if value < 0 else ""
    value = abs(value)
    return sign + (str(value) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}")


def _machine(text: str) -> bool:
    return "." in text and sum(c.isdigit() for c in text) >= _DIGITS


def _expression(text: str) -> bool:
    """Whether a text may be shown to math-verify."""
    return 0 < len(text) <= _LONGEST and not _UNFINISHED.search(text)


def _radians(degrees: Scalar, other: Scalar, outcome: Outcome) -> Outcome:
    """An angle in degrees against a plain number: as many degrees, or as many radians, where that speaks of pi."""
    if "\\pi" not in other.text and "pi" not in other.text:
        return outcome
    value, radians = _value(degrees), _value(other)
    if value is None or radians is None:
        return outcome
    turned = evaluate(f"({_latex(value) if isinstance(value, Fraction) else degrees.text})\\pi/180")
    return turned is not None and close(turned, radians) is True


def _angles(reference: Scalar, answer: Scalar) -> Outcome:
    for one, other in ((reference, answer), (answer, reference)):
        if one.unit and one.unit.one("degree") and other.unit and other.unit.one("rad"):
            return _radians(one, Scalar(f"{other.text} + 0\\pi", None, Unit()), False)
        if one.unit and other.unit and other.unit.names and one.unit.one("percent"):
            return _plain(one, other, (Fraction(1), Fraction(1)))
    return False
