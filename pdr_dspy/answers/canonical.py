"""One spelling for the many of an answer. Pure, and linear in the text.

Two answers that come out alike say the same; two that do not may still be equal (`12 cm` and `0.12 m`, `xy` and `yx`).
"""

from __future__ import annotations

from fractions import Fraction

from pdr_dspy.answers.blanks import squeezed
from pdr_dspy.answers.nodes import Group, Named, Node, Nothing, Scalar, Words
from pdr_dspy.answers.numbers import rational
from pdr_dspy.answers.reading import read
from pdr_dspy.answers.units import Unit

__all__ = ["canonical", "rational"]


def canonical(text: str) -> str:
    """The answer in the one spelling of what it says: a reduced fraction where it is a number, folded case in words.

    >>> [canonical(t) for t in (r"$\\\\boxed{\\\\dfrac{1}{2}}$", "**0.50**.", "The answer is 1,000 cm", "(B)", "50%")]
    ['1/2', '1/2', '10 m', 'b', '1/2']
    """
    reading = read(text)
    if isinstance(reading.node, Nothing):
        return ""
    if len(reading.letters) == 1:
        return reading.letters.casefold()
    return _spelled(reading.node) or _text(reading.text)


def _spelled(node: Node) -> str:
    if isinstance(node, Named):
        return _spelled(node.value)
    if isinstance(node, Words):
        return node.text
    if isinstance(node, Scalar):
        return _number(node.value, node.unit) if node.value is not None else ""
    if isinstance(node, Group) and node.shape == "(":
        parts = [_spelled(item) for item in node.items]
        return f"({', '.join(parts)})" if all(parts) else ""
    return ""


def _number(value: Fraction, unit: Unit | None) -> str:
    if unit is None:
        return str(value)
    value *= unit.factor
    said = [name if power == 1 else f"{name}^{power}" for name, power in unit.dimension] + sorted(unit.names)
    return " ".join([str(value), *(word for word in said if word != "percent")])


def _text(text: str) -> str:
    """A text whose blanks and case say nothing: the case of an expression does."""
    text = squeezed(text)
    return text if any(c in "\\^_=+*/<>" for c in text) or len(text) < 4 else text.casefold()
