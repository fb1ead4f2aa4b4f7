"""What is too large to evaluate: said from the expression alone, so the same for the same text on every machine."""

from __future__ import annotations

from collections.abc import Iterable

import sympy
from sympy import Basic, Integer, Number

BITS = 2**20
"""Of a number that sympy would write out (`2^{1000000}` is just within)."""
EXPANDED = 200
"""The highest power of a sum with variables."""
FACTORIAL = 20_000
"""The largest factorial, in its argument."""

_SUMS = (sympy.Add, sympy.Mul)
_FACTORIALS = (sympy.factorial, sympy.gamma)


class TooLarge(Exception):
    """An expression holds a number or a power that is not worth evaluating."""


def check_size(expression: object) -> None:
    """Refuse towers of powers, huge factorials and the like before anything is evaluated.

    Raises:
        TooLarge: the expression is one.
    """
    _bits(expression)


def _bits(part: object) -> float:
    """An upper bound of log2 of a number's size, 1 for what is no number."""
    if isinstance(part, sympy.Rational):
        return _limited(max(part.p.bit_length(), part.q.bit_length(), 1))
    if isinstance(part, sympy.Symbol):
        return 2.0
    if isinstance(part, sympy.MatrixBase):
        return max(_each(part.flat()), default=1.0)
    if isinstance(part, sympy.Float):
        return _limited(abs(int(part._mpf_[2])) + part._prec)
    if not isinstance(part, Basic):
        return 1.0
    each = _each(part.args)
    if isinstance(part, _SUMS):
        return _limited(sum(each) if each else 1.0)
    if isinstance(part, sympy.exp):
        return _power(sympy.E, 2.0, part.args[0], each[0])
    if isinstance(part, sympy.Pow):
        return _power(part.base, each[0], part.exp, each[1])
    if isinstance(part, _FACTORIALS):
        return _factorial(each[0])
    if isinstance(part, sympy.binomial):
        return _limited(each[0] * min(2.0 ** min(each[1], 64.0), 2.0 ** min(each[0], 64.0)))
    return max(each, default=2.0)


def _each(parts: Iterable[object]) -> list[float]:
    return [_bits(part) for part in parts]


def _power(base: object, base_bits: float, exponent: object, exponent_bits: float) -> float:
    if isinstance(exponent, Number):
        size = abs(float(exponent)) if exponent.is_finite else 1.0
    elif isinstance(exponent, Basic) and not exponent.free_symbols:
        size = 2.0 ** min(exponent_bits, 64.0)
    else:
        return base_bits + exponent_bits
    if isinstance(base, Basic) and base.free_symbols:
        if isinstance(base, sympy.Add) and isinstance(exponent, Integer) and size > EXPANDED:
            raise TooLarge
        return base_bits
    return 1.0 if base_bits <= 1 else _limited(base_bits * max(size, 1.0))


def _factorial(bits: float) -> float:
    size = 2.0 ** min(bits, 64.0)
    if size > 2 * FACTORIAL:
        raise TooLarge
    return _limited(size * max(bits, 1.0))


def _limited(bits: float) -> float:
    if bits > BITS:
        raise TooLarge
    return float(bits)
