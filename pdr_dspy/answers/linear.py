"""Sums of variables with rational factors: `2x - \\frac{2}{3}y + 1`, `3i - j + 2k`. Pure, on bounded texts."""

from __future__ import annotations

import re
from fractions import Fraction

_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+|\\[a-zA-Z]+|\S")
_DIRECTION = re.compile(r"\\(?:hat|vec|bar|overrightarrow) ?\{? ?\\?([ijk])(?:math)? ?\}?|\\([ij])math(?![a-z])")
_LONGEST = 200


_DEEPEST = 20

Terms = dict[str, Fraction]


class _Unknown(Exception):
    """No linear expression."""


def coefficients(text: str) -> Terms | None:
    """The factor of each variable of a linear expression, the constant under the empty name; None: it is none.

    >>> coefficients("3(x-1)/2 + y") == {"x": Fraction(3, 2), "": Fraction(-3, 2), "y": 1}
    True
    """
    if len(text) > _LONGEST:
        return None
    try:
        reader = _Reader(_TOKEN.findall(text))
        found = reader.total(0)
        return None if reader.token else found
    except (_Unknown, ZeroDivisionError):
        return None


class _Reader:
    """Recursive descent: sums of products, at most one factor of each with a variable."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens[::-1]

    @property
    def token(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def _take(self, wanted: str = "") -> str:
        if not self._tokens or (wanted and self.token != wanted):
            raise _Unknown
        return self._tokens.pop()

    def total(self, depth: int) -> Terms:
        sign = self._take() if self.token in ("+", "-") else "+"
        found = _scaled(self._product(depth), sign)
        while self.token in ("+", "-"):
            sign = self._take()
            for name, value in _scaled(self._product(depth), sign).items():
                found[name] = found.get(name, Fraction(0)) + value
        return found

    def _product(self, depth: int) -> Terms:
        found, divided = self._factor(depth), False
        while self.token not in ("", "+", "-", ")", "}"):
            if self.token == "/":
                self._take()
                found, divided = _over(found, self._factor(depth)), True
            elif self.token in ("*", "\\cdot"):
                self._take()
                found = _times(found, self._factor(depth))
            elif divided or self.token[0] in ".0123456789" or (self.token == "(" and set(found) != {""}):
                raise _Unknown  # `1/2x` may be either; `f(x)` is no product
            else:
                found = _times(found, self._factor(depth))
        return found

    def _factor(self, depth: int) -> Terms:
        token = self._take()
        if depth > _DEEPEST:
            raise _Unknown
        if token[0] in ".0123456789" and token != ".":
            return {"": Fraction(token)}
        if token.isascii() and token.isalpha():
            return {token: Fraction(1)}
        if token == "\\frac":
            return _over(self._braced(depth), self._braced(depth))
        if token == "(":
            found = self.total(depth + 1)
            self._take(")")
            return found
        raise _Unknown

    def _braced(self, depth: int) -> Terms:
        self._take("{")
        found = self.total(depth + 1)
        self._take("}")
        return found


def _scaled(found: Terms, sign: str) -> Terms:
    return {name: -value for name, value in found.items()} if sign == "-" else dict(found)


def _times(one: Terms, other: Terms) -> Terms:
    if set(one) != {""}:
        one, other = other, one
    if set(one) != {""}:
        raise _Unknown
    return {name: value * one[""] for name, value in other.items()}


def _over(one: Terms, other: Terms) -> Terms:
    if set(other) != {""}:
        raise _Unknown
    return {name: value / other[""] for name, value in one.items()}


def linear(text: str) -> tuple[Fraction, Fraction, str] | None:
    """Slope, constant and variable of a linear expression in at most one variable; None where it is anything else."""
    found = coefficients(text)
    names = [name for name in found or () if name]
    if found is None or len(names) > 1:
        return None
    name = names[0] if names else ""
    return found.get(name, Fraction(0)) if name else Fraction(0), found.get("", Fraction(0)), name


def same_equation(one: tuple[str, str], other: tuple[str, str]) -> bool | None:
    """Whether two linear equations, each by its sides, have the same solutions; None where one is not linear."""
    first, second = _moved(*one), _moved(*other)
    if first is None or second is None:
        return None
    if first.keys() - {""} != second.keys() - {""} or not first.keys() - {""}:
        return False
    name = next(name for name in first if name)
    ratio = second[name] / first[name]
    return all(second.get(key, 0) == ratio * first.get(key, 0) for key in first.keys() | second.keys())


def _moved(left: str, right: str) -> dict[str, Fraction] | None:
    one, other = coefficients(left), coefficients(right)
    if one is None or other is None:
        return None
    moved = {name: one.get(name, Fraction(0)) - other.get(name, Fraction(0)) for name in one.keys() | other.keys()}
    return {name: value for name, value in moved.items() if value}


def directions(text: str, count: int) -> list[Fraction] | None:
    """The components of `3i - j + 2k` as a vector of two or three; None where a text is no such sum."""
    found = coefficients(_DIRECTION.sub(lambda m: m[1] or m[2], text))
    # A single letter may be a variable, or the imaginary unit.
    if found is None or len(found) < 2 or not found.keys() <= {*"ijk"[:count]} or count not in (2, 3):
        return None
    return [found.get(name, Fraction(0)) for name in "ijk"[:count]]


def asked_sum(text: str) -> bool:
    """Whether a text is a sum that problems ask for (`m + n`, `100p + q`), and no side of an equation to solve."""
    found = coefficients(text)
    return found is not None and len(found) > 1 and "" not in found and set(found.values()) <= {1, 10, 100, 1000}
