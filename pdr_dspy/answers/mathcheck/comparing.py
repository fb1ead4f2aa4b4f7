"""When two expressions are equal, as a careful person says it.

What is cheap and certain is decided here: exact numbers, tuples in order, sets as sets, chains of inequalities, values
that differ at a point. What is left (identities, sets of numbers, equations to solve) is for math-verify.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy
from latex2sympy2_extended.sets import FiniteSet as ListedSet
from math_verify import verify
from sympy import And, Basic, Eq, FiniteSet, Interval, MatrixBase, Rational, Set, Symbol, Tuple
from sympy.core.function import AppliedUndef
from sympy.core.numbers import Infinity, NegativeInfinity
from sympy.core.relational import Relational

from .reading import Read, Value, imaginary, letters, read
from .relations import as_set, is_relation, same_relations
from .scalars import approximately, same_numbers, same_scalars
from .size import check_size


def compare(reference: str, answer: str, whole: bool, digits: int, sets: bool) -> bool:
    """Whether an answer equals the reference.

    Args:
        reference: The right answer.
        answer: The one to judge.
        whole: Read all of a text or nothing; else sentences are searched.
        digits: Significant digits from which on a decimal may stand for the value that it rounds; 0: never.
        sets: A set may be given by an inequality (`x>5` for `(5,\\infty)`), in both directions.

    Raises:
        TooLarge: one holds what can't be evaluated.
    """
    real = not (imaginary(reference) or imaginary(answer))
    fold = all(len(found) == len({letter.lower() for letter in found}) for found in map(letters, (reference, answer)))
    wanted, given = read(reference, whole, real, fold), read(answer, whole, real, fold)
    if wanted.value is None or given.value is None:
        return wanted.value is given.value and bool(wanted.text) and wanted.text == given.text
    comparison = _Comparison(wanted, given, digits, sets)
    if wanted.repeated or given.repeated:
        return comparison.same_elements(wanted.repeated, given.repeated)
    return comparison.same(wanted.value, given.value)


class _Comparison:
    """Of two readings, part by part."""

    def __init__(self, wanted: Read, given: Read, digits: int, sets: bool) -> None:
        found = [each for each in (wanted.digits, given.digits) if each is not None]
        close = digits > 0 and bool(found) and min(found) >= digits
        units = [each.unit for each in (wanted, given) if each.unit is not None]
        self._relative = Rational(10) ** -min(found) if close else None
        self._unit = max(units) if close and units else None
        self._sets = sets

    def same(self, wanted: Value, given: Value) -> bool:
        """Whether two parts are equal."""
        if any(part in (sympy.nan, sympy.zoo) for part in (wanted, given)):
            return False
        if wanted == given:
            return True
        wanted, given = _unwrapped(wanted, given)
        if wanted == given:
            return True
        if is_relation(wanted) and is_relation(given):
            return self._assigned_same(wanted, given) or same_relations(wanted, given, self.same)
        if self._sets:
            wanted, given = as_set(wanted, given), as_set(given, wanted)
        if is_relation(wanted) or is_relation(given):
            return False
        if any(isinstance(part, Set | Tuple) for part in (wanted, given)):
            return self._same_collections(wanted, given)
        if any(isinstance(part, MatrixBase | sympy.MatrixExpr) for part in (wanted, given)):
            return self._same_matrices(wanted, given)
        return self._same_scalars(wanted, given)

    def _assigned_same(self, wanted: Basic, given: Basic) -> bool:
        one, other = _assigned(wanted), _assigned(given)
        return one is not None and other is not None and one[0] == other[0] and self.same(one[1], other[1])

    def _same_scalars(self, wanted: Basic, given: Basic) -> bool:
        if isinstance(wanted, Symbol) or isinstance(given, Symbol):
            return bool(verify(wanted, given, timeout_seconds=None))
        if not wanted.free_symbols and not given.free_symbols:
            close = same_numbers(wanted, given)  # looks at the sizes
            if close is None:
                return same_scalars(wanted, given)
            return close or approximately(wanted, given, self._relative, self._unit)
        check_size(wanted)
        check_size(given)
        return same_scalars(wanted, given) or (
            self._relative is not None and approximately(wanted, given, self._relative, None)
        )

    def _same_matrices(self, wanted: Value, given: Value) -> bool:
        if isinstance(wanted, MatrixBase) and isinstance(given, MatrixBase):
            return wanted.shape == given.shape and all(map(self.same, wanted.flat(), given.flat()))
        return bool(verify(wanted, given, timeout_seconds=None))

    def _same_collections(self, wanted: Value, given: Value) -> bool:
        first, second = _in_order(wanted), _in_order(given)
        if first is not None and second is not None:
            if isinstance(wanted, Interval) and isinstance(given, Interval):
                return self.same(wanted.start, given.start) and self.same(wanted.end, given.end)
            return len(first) == len(second) and all(map(self.same, first, second))
        if isinstance(wanted, Interval) and isinstance(given, Interval):
            ends = (wanted.left_open, wanted.right_open) == (given.left_open, given.right_open)
            return bool(ends and self.same(wanted.start, given.start) and self.same(wanted.end, given.end))
        for one, other in ((wanted, given), (given, wanted)):
            if isinstance(one, FiniteSet) and (named := _named(one)) is not None:
                in_order = _in_order(other)
                if in_order is not None:
                    return len(named) == len(in_order) and all(map(self.same, named, in_order))
        sets = [part if isinstance(part, Set | Tuple) else FiniteSet(part) for part in (wanted, given)]
        if all(isinstance(part, FiniteSet) for part in sets):
            return self.same_elements(list(_values(sets[0], sets[1])), list(_values(sets[1], sets[0])))
        if any(isinstance(part, Tuple) for part in sets):
            return False  # what has an order is no set
        if any(isinstance(part, FiniteSet) for part in sets):
            sets = [_union(part) for part in sets]
        one, other = (part.doit() for part in sets)
        if one == other:
            return True
        if isinstance(one, FiniteSet) != isinstance(other, FiniteSet):
            return bool(one.is_empty is not None and one.symmetric_difference(other).is_empty)
        if isinstance(one, sympy.Union) and isinstance(other, sympy.Union):
            return self.same_elements(list(one.args), list(other.args))
        return bool(verify(one, other, timeout_seconds=None))

    def same_elements(self, wanted: Sequence[Basic], given: Sequence[Basic]) -> bool:
        """Whether two lists hold the same, in any order."""
        if len(wanted) != len(given):
            return False
        left = list(given)
        for element in wanted:
            match = next((other for other in left if element == other), None)
            if match is None:
                match = next((other for other in left if self.same(element, other)), None)
            if match is None:
                return False
            left.remove(match)
        return True


def _in_order(part: Value) -> tuple[Basic, ...] | None:
    """The items of an ordered tuple: `(1,2)` is read as an open interval, a column as a matrix."""
    if isinstance(part, Tuple):
        return tuple(part.args)
    if isinstance(part, Interval) and _is_open(part):
        return (part.start, part.end)
    if isinstance(part, MatrixBase) and 1 in part.shape:
        return tuple(part.flat())
    return None


def _is_open(part: Interval) -> bool:
    # Where the ends are numbers sympy comes to the same, by solving inequalities.
    if all(isinstance(end, Rational | Infinity | NegativeInfinity) for end in (part.start, part.end)):
        return bool(part.left_open and part.right_open)
    return bool(part.is_open)


def _assigned(part: Value) -> tuple[Basic, Basic] | None:
    """Name and value of `x = 3`, `f(x) = ...` and `S = ab = 6`."""
    chain = list(part._unsorted_args) if isinstance(part, And) and hasattr(part, "_unsorted_args") else [part]
    if not chain or not all(isinstance(each, Eq) for each in chain):
        return None
    name = chain[0].lhs
    return (name, chain[-1].rhs) if isinstance(name, Symbol | AppliedUndef) else None


def _unwrapped(wanted: Value, given: Value) -> tuple[Value, Value]:
    """`x = 3` is 3 where the other side names no variable."""
    if is_relation(wanted) == is_relation(given):
        return wanted, given
    pair = [wanted, given]
    for index, part in enumerate(pair):
        if (assigned := _assigned(part)) is not None:
            pair[index] = assigned[1]
        elif isinstance(part, Eq) and not part.free_symbols and same_numbers(part.lhs, part.rhs):
            pair[index] = part.rhs  # 2 + 3 = 5
    return pair[0], pair[1]


def _named(listed: FiniteSet) -> list[Basic] | None:
    """The values of `x = 3, y = 4`, by the variables' names."""
    assigned = [_assigned(item) for item in listed.args]
    found = [each for each in assigned if each is not None]
    names = {each[0] for each in found}
    if len(found) != len(assigned) or len(names) != len(assigned) or len(names) < 2:
        return None
    return [value for _, value in sorted(found, key=lambda each: str(each[0]))]


def _values(listed: FiniteSet, other: FiniteSet) -> tuple[Basic, ...]:
    """The values of `x = 2, x = 3`, where the other side names no variable or another list of its own."""
    assigned = [_assigned(item) for item in listed.args]
    found = [each for each in assigned if each is not None]
    if len(found) == len(assigned) and len({name for name, _ in found}) == 1:
        theirs = {each[0] for item in other.args if (each := _assigned(item)) is not None}
        if not theirs or theirs == {found[0][0]}:
            return tuple(value for _, value in found)
    return tuple(listed.args)


def _union(part: Set) -> Set:
    """`x < 1, x > 3` as the set of both."""
    if isinstance(part, FiniteSet) and part.args and all(isinstance(item, Relational) for item in part.args):
        sets = [as_set(item, sympy.S.Reals) for item in part.args]
        if all(isinstance(each, Set) for each in sets) and len({s for i in part.args for s in i.free_symbols}) == 1:
            return sympy.Union(*sets)
    if isinstance(part, ListedSet):
        return FiniteSet(*part.args)
    return part
