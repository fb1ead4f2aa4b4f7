"""Equations and inequalities: chains read either way, sides moved, the whole multiplied."""

from __future__ import annotations

from collections.abc import Callable

import sympy
from math_verify import verify
from sympy import And, Basic, Eq, Set
from sympy.core.relational import Relational

from .reading import Value
from .scalars import constant_ratio, solution_missed

Same = Callable[[Value, Value], bool]

_TURNED = {
    sympy.GreaterThan: sympy.LessThan,
    sympy.StrictGreaterThan: sympy.StrictLessThan,
}


def is_relation(part: object) -> bool:
    """Whether it is an equation, an inequality or a chain of them."""
    if isinstance(part, And):
        return bool(part.args) and all(isinstance(each, Relational) for each in part.args)
    return isinstance(part, Relational)


def as_set(part: Value, other: Value) -> Value:
    """An inequality in one variable as the set of its solutions, where the other side is a set."""
    if not is_relation(part) or isinstance(part, Eq) or not isinstance(other, Set) or len(part.free_symbols) != 1:
        return part
    if isinstance(other, sympy.FiniteSet) and any(is_relation(each) for each in other.args):
        return part
    try:
        return part.as_set()
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return part


def same_relations(wanted: Basic, given: Basic, same: Same) -> bool:
    """Whether two relations say the same."""
    one, other = _parts(wanted), _parts(given)
    if len(one) == len(other) and _matched(one, other, same):
        return True
    if wanted.free_symbols != given.free_symbols or (len(one) == len(other) == 1 and _kind(one[0]) != _kind(other[0])):
        return False
    if isinstance(wanted, Eq) and isinstance(given, Eq):
        if _one_sided(wanted, given):
            return False
        # math-verify takes two equations for equal where it finds no solution of either
        try:
            if not sympy.solve(wanted, sorted(wanted.free_symbols, key=str)):
                return False
        except NotImplementedError:
            return False
        return bool(verify(wanted, given, timeout_seconds=None))
    if len(wanted.free_symbols) == 1:
        sets = [as_set(part, sympy.S.Reals) for part in (wanted, given)]
        return all(isinstance(each, Set) for each in sets) and bool(sets[0] == sets[1])
    return False


def _one_sided(one: Eq, other: Eq) -> bool:
    """Whether a solution of one equation is clearly none of the other."""
    if any(isinstance(side, Set | sympy.Tuple | sympy.MatrixBase) for side in (*one.args, *other.args)):
        return False
    return solution_missed(one.lhs - one.rhs, other.lhs - other.rhs)


def _parts(relation: Basic) -> list[Relational]:
    """A chain's links, each turned to `<`, `<=` or an equation."""
    links = list(getattr(relation, "_unsorted_args", relation.args)) if isinstance(relation, And) else [relation]
    return [
        _TURNED[type(link)](link.rhs, link.lhs, evaluate=False) if type(link) in _TURNED else link for link in links
    ]


def _matched(one: list[Relational], other: list[Relational], same: Same) -> bool:
    left = list(other)
    for link in one:
        found = next((each for each in left if _same_link(link, each, same)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _same_link(one: Relational, other: Relational, same: Same) -> bool:
    if _kind(one) != _kind(other):
        return False
    if any(isinstance(side, Set | sympy.Tuple | sympy.MatrixBase) for side in (*one.args, *other.args)):
        return same(one.lhs, other.lhs) and same(one.rhs, other.rhs)
    if same(one.lhs, other.lhs) and same(one.rhs, other.rhs):
        return True
    ratio = constant_ratio(one.lhs - one.rhs, other.lhs - other.rhs)
    if ratio is None or ratio.is_zero is not False:
        return False
    return bool(ratio.is_positive) or isinstance(one, sympy.Eq | sympy.Ne)


def _kind(link: Relational) -> type:
    return next((kind for kind in (sympy.Eq, sympy.Ne, *_TURNED.values()) if isinstance(link, kind)), type(link))
