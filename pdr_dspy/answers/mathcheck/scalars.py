"""Numbers and expressions: exact where both are fractions, else by value first and by proof second.

Two values that differ clearly settle it without any algebra: that is what most wrong answers cost.
"""

from __future__ import annotations

import sympy
from math_verify import verify
from sympy import Basic, Expr, Integer, Number, Rational

from .rationals import rational_value
from .size import check_size

_UNDECIDED = (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError)
"""What sympy raises on an expression that it can't work out."""
_DIGITS = 30  # of a value
_POINTS = ((37, 29), (-53, 41), (71, 97))  # where variables are looked at, as fractions; nothing special happens there
_CLEAR = Rational(1, 10**20)  # relative difference that no rounding makes
_SMALL = Rational(1, 10**9)  # below it a value may be what is left of a zero


def same_numbers(wanted: Basic, given: Basic) -> bool | None:
    """Whether two closed expressions have the same value; None where that takes a proof."""
    check_size(wanted)
    check_size(given)
    wanted, given = _done(wanted), _done(given)
    if wanted == given:
        return not any(part in (sympy.nan, sympy.zoo) for part in (wanted, given))
    if isinstance(wanted, Rational) and isinstance(given, Rational):
        return False
    values = _value(wanted), _value(given)
    if values[0] is None or values[1] is None:
        return None
    return _agree(values[0], values[1])


def same_scalars(wanted: Expr, given: Expr) -> bool:
    """Whether two expressions are equal for all values of their variables."""
    if _differ(wanted, given):
        return False
    wanted, given = _done(wanted), _done(given)
    if wanted == given:
        return True
    try:
        if sympy.expand(wanted - given) == 0:
            return True
    except (TypeError, AttributeError):
        return False
    return bool(verify(wanted, given, timeout_seconds=None))


def approximately(wanted: Expr, given: Expr, relative: Rational | None, unit: Rational | None) -> bool:
    """Whether values differ by less than one unit in the last place, or relatively; at all points looked at."""
    if relative is None:
        return False
    pairs = [_at(wanted, given, point) for point in range(len(_POINTS) if wanted.free_symbols else 1)]
    if isinstance(wanted, Rational) and isinstance(given, Rational):
        pairs = [(wanted, given)]
    for one, other in pairs:
        if one is None or other is None:
            return False
        apart = abs(one - other)
        limit = unit if unit is not None else relative * max(abs(one), abs(other))
        if not bool(apart < limit):
            return False
    return True


def constant_ratio(one: Expr, other: Expr) -> Expr | None:
    """`one / other` where that is one number whatever the variables; None where it isn't."""
    if one.free_symbols != other.free_symbols:
        return None
    check_size(one)
    check_size(other)
    ratios: list[Expr] = []
    for point in range(len(_POINTS)):
        first, second = _at(one, other, point)
        if first is None or second is None or second == 0:
            ratios = []
            break
        ratios.append(first / second)
    if any(_agree(ratios[0], ratio) is False for ratio in ratios[1:]):
        return None
    ratio = sympy.simplify(one / other)
    return ratio if isinstance(ratio, Expr) and not ratio.free_symbols else None


def solution_missed(one: Expr, other: Expr) -> bool:
    """Whether at a point where `one` is 0 (found where it is linear in a variable) `other` clearly is not."""
    names = sorted(one.free_symbols | other.free_symbols, key=str)
    for point in range(len(_POINTS)):
        where = _where(names, point)
        for name in names:
            ends = [_value(one, {**where, name: Integer(at)}) for at in (0, 1)]
            if ends[0] is None or ends[1] is None or ends[0] == ends[1]:
                continue
            root = {**where, name: ends[0] / (ends[0] - ends[1])}
            left, missed = _value(one, root), _value(other, root)
            if left is not None and missed is not None and abs(left) < _SMALL**2 and abs(missed) > _SMALL:
                return True
    return False


def _differ(wanted: Expr, given: Expr) -> bool:
    """Whether the values at some point differ clearly."""
    names = sorted(wanted.free_symbols | given.free_symbols, key=str)
    exact = True
    for point in range(len(_POINTS)):
        where = _where(names, point)
        one: Number | None = rational_value(wanted, where) if exact else None
        other: Number | None = rational_value(given, where) if one is not None else None
        exact = other is not None
        if not exact:
            one, other = _value(wanted, where), _value(given, where)
        if one is not None and other is not None and _agree(one, other) is False:
            return True
    return False


def _at(wanted: Expr, given: Expr, point: int) -> tuple[Number | None, Number | None]:
    where = _where(sorted(wanted.free_symbols | given.free_symbols, key=str), point)
    return _value(wanted, where), _value(given, where)


def _where(names: list[Basic], point: int) -> dict[Basic, Rational]:
    above, below = _POINTS[point]
    # another fraction for each variable, so that no two of them cancel
    return {name: Rational(above + 6 * index, below + 4 * index) for index, name in enumerate(names)}


def _value(part: Basic, where: dict[Basic, Rational] | None = None) -> Number | None:
    try:
        value = part.evalf(_DIGITS, subs=where) if where else part.evalf(_DIGITS)
    except _UNDECIDED:
        return None
    if not isinstance(value, Expr) or not value.is_number or value.is_finite is False or value.is_comparable is None:
        return None
    real, imaginary = value.as_real_imag()
    return value if isinstance(real, Number) and isinstance(imaginary, Number) else None


def _agree(one: Number, other: Number) -> bool | None:
    """True, False, or None: too small to say."""
    size = max(abs(one), abs(other))
    if bool(abs(one - other) > size * _CLEAR):
        return False if bool(size > _SMALL) else None
    return True


def _done(part: Basic) -> Basic:
    if isinstance(part, Integer | Rational):
        return part
    try:
        return part.doit()
    except _UNDECIDED:
        return part
