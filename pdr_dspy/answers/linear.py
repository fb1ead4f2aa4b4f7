"""Sums of variables with rational factors: `2x - \\frac{2}{3}y + 1`, `3i - j + 2k`. Pure, on bounded texts."""

from __future__ import annotations

import re
from fractions import Fraction

_TERM = re.compile(
    r"([+-]?)(?:([0-9]+(?:\.[0-9]*)?|\.[0-9]+)|\\frac\{(-?[0-9]+)\}\{([0-9]+)\})?(?:\*|\\cdot)?([a-zA-Z])?(?:/([0-9]+))?"
)
_HALVED = re.compile(r"\\frac\{(-?)([0-9]*)([a-zA-Z])\}\{([0-9]+)\}")
_BRACKETED = re.compile(r"\(([0-9]+/[0-9]+)\)(?=\*?[a-zA-Z])")
_DIRECTION = re.compile(r"\\(?:hat|vec|bar|overrightarrow) ?\{? ?\\?([ijk])(?:math)? ?\}?|\\([ij])math(?![a-z])")
_LONGEST = 200


def coefficients(text: str) -> dict[str, Fraction] | None:
    """The factor of each variable of a linear expression, the constant under the empty name; None: it is none."""
    if len(text) > _LONGEST:
        return None
    text = _HALVED.sub(lambda m: f"{m[1]}\\frac{{{m[2] or 1}}}{{{m[4]}}}{m[3]}", text.replace(" ", ""))
    text = _BRACKETED.sub(lambda m: "\\frac{{{}}}{{{}}}".format(*m[1].split("/")), text)
    found: dict[str, Fraction] = {}
    place = 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None or term.end() == place or (place and not term[1]):
            return None
        sign, number, above, below, letter, over = term.groups()
        if not (number or above or letter):
            return None
        try:
            value = Fraction(number) if number else Fraction(int(above), int(below)) if above else Fraction(1)
            value = value / int(over or 1) * (-1 if sign == "-" else 1)
        except (ValueError, ZeroDivisionError):
            return None
        found[letter or ""] = found.get(letter or "", Fraction(0)) + value
        place = term.end()
    return found or None


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
