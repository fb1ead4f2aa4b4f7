"""Exact values of rational functions, without sympy's arithmetic: most expressions with variables are one."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from sympy import Add, Basic, Integer, Mul, Pow, Rational, Symbol

_LARGEST = 64
"""The highest power that is worked out."""
_BITS = 4096
"""Of a value's numerator and denominator."""


class _Other(Exception):
    """Something that is not worked out here."""


def rational_value(part: Basic, where: Mapping[Basic, Rational]) -> Rational | None:
    """The value at a point.

    Args:
        part: An expression.
        where: Its variables' values.

    Returns:
        None where the expression is no rational function, is not defined at the point, or is a large one.
    """
    try:
        return Rational(_value(part, where))
    except (_Other, ZeroDivisionError):
        return None


def _value(part: Basic, where: Mapping[Basic, Rational]) -> Fraction:
    if isinstance(part, Symbol) and part in where:
        part = where[part]
    if isinstance(part, Rational):
        value = Fraction(part.p, part.q)
    elif isinstance(part, Add):
        value = Fraction(0)
        for each in part.args:
            value += _value(each, where)
    elif isinstance(part, Mul):
        value = Fraction(1)
        for each in part.args:
            value *= _value(each, where)
    elif isinstance(part, Pow) and isinstance(part.exp, Integer) and abs(part.exp.p) <= _LARGEST:
        value = _value(part.base, where) ** part.exp.p
    else:
        raise _Other
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _BITS:
        raise _Other
    return value
