"""The value of an expression without variables: exact where it is rational, else complex. Pure, on bounded texts."""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Callable
from fractions import Fraction

Value = Fraction | complex
_LONGEST = 300
_DEPTH = 40
_BITS = 4000
_TOKEN = re.compile(r"\s*(\\[a-zA-Z]+|[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3}(?![0-9]))?|\.[0-9]+|\*\*|[a-zA-Z]+|\S)")
_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "ln": cmath.log, "exp": cmath.exp, "arcsin": cmath.asin,
    "arccos": cmath.acos, "arctan": cmath.atan, "sinh": cmath.sinh, "cosh": cmath.cosh, "tanh": cmath.tanh,
    "cot": lambda x: 1 / cmath.tan(x), "sec": lambda x: 1 / cmath.cos(x), "csc": lambda x: 1 / cmath.sin(x),
}  # fmt: skip
_CLOSED = {"(": ")", "{": "}", "[": "]", "\\{": "\\}"}


class _Unknown(Exception):
    """No value can be told."""


def evaluate(text: str) -> Value | None:
    """The value of `\\frac{\\sqrt{3}}{2}`, `16e^{4\\pi i/3}`, `2^{10}`; None where a text is no constant expression."""
    if len(text) > _LONGEST:
        return None
    try:
        reader = _Reader(_TOKEN.findall(text))
        value = reader.total(0)
        return value if not reader.left() else None
    except (_Unknown, ArithmeticError, ValueError, RecursionError):
        return None


def close(first: Value, second: Value) -> bool | None:
    """Whether two values are the same; None where rounding leaves it open."""
    if isinstance(first, Fraction) and isinstance(second, Fraction):
        return first == second
    try:
        one, other = complex(first), complex(second)
    except OverflowError:
        return None
    size = max(abs(one), abs(other))
    if abs(one - other) > 1e-7 * size:
        return False
    return True if abs(one - other) <= 1e-11 * max(size, 1e-3) and size < 1e9 else None


class _Reader:
    """Recursive descent: sums of products of powers."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0

    def left(self) -> bool:
        return self._place < len(self._tokens)

    def _next(self) -> str:
        return self._tokens[self._place] if self.left() else ""

    def _take(self) -> str:
        token = self._next()
        self._place += 1
        return token

    def total(self, depth: int) -> Value:
        if depth > _DEPTH:
            raise _Unknown
        sign = -1 if self._next() == "-" else 1
        if self._next() in ("+", "-"):
            self._take()
        value = self._product(depth) * sign
        while self._next() in ("+", "-"):
            sign = -1 if self._take() == "-" else 1
            value = _sum(value, self._product(depth) * sign)
        return value

    def _product(self, depth: int) -> Value:
        value = self._power(depth)
        while self.left():
            token = self._next()
            if token in ("*", "\\cdot", "\\times"):
                self._take()
                value = _times(value, self._signed(depth))
            elif token in ("/", "\\div"):
                self._take()
                value = _over(value, self._signed(depth))
            elif token[0].isdigit() or token in ("+", "-", ",") or token in _CLOSED.values():
                break
            else:
                value = _times(value, self._power(depth))
        return value

    def _signed(self, depth: int) -> Value:
        if self._next() == "-":
            self._take()
            return -self._power(depth)
        return self._power(depth)

    def _power(self, depth: int) -> Value:
        base = self._atom(depth + 1)
        while self._next() == "!":
            self._take()
            if not isinstance(base, Fraction) or base.denominator != 1 or not 0 <= base <= 300:
                raise _Unknown
            base = Fraction(math.factorial(int(base)))
        if self._tokens[self._place : self._place + 2] == ["^", "\\circ"]:
            self._place += 2
            base = complex(base) * math.pi / 180
        if self._next() in ("^", "**"):
            self._take()
            sign = -1 if self._next() == "-" else 1
            if sign < 0:
                self._take()
            exponent = self._power(depth + 1) if self._next() != "{" else self._atom(depth + 1)
            return _raised(base, exponent * sign)
        return base

    def _atom(self, depth: int) -> Value:
        if depth > _DEPTH:
            raise _Unknown
        token = self._take()
        if token in _CLOSED:
            value = self.total(depth)
            if self._take() != _CLOSED[token]:
                raise _Unknown
            return value
        if token[:1].isdigit() or token[:1] == ".":
            return Fraction(token)
        name = token.removeprefix("\\")
        if name == "pi":
            return complex(math.pi)
        if name in ("e", "i") and token == name:
            return complex(math.e) if name == "e" else 1j
        if name == "frac":
            return _over(self._atom(depth), self._atom(depth))
        if name == "sqrt":
            root = self._atom(depth) if self._next() == "[" else Fraction(2)
            return _raised(self._atom(depth), _over(Fraction(1), root))
        if name == "log":
            return self._logarithm(depth)
        if name in _FUNCTIONS:
            exponent = None
            if self._next() == "^":
                self._take()
                exponent = self._atom(depth)
            value = _FUNCTIONS[name](complex(self._atom(depth) if self._next() in _CLOSED else self._product(depth)))
            if exponent is not None and exponent != 2:
                raise _Unknown  # `\\sin^{-1}` is no power
            return value if exponent is None else value**2
        raise _Unknown

    def _logarithm(self, depth: int) -> Value:
        if self._take() != "_":
            raise _Unknown  # to which base?
        base = self._atom(depth)
        return cmath.log(complex(self._power(depth))) / cmath.log(complex(base))


def _sum(first: Value, second: Value) -> Value:
    if isinstance(first, Fraction) and isinstance(second, Fraction):
        return first + second
    return complex(first) + complex(second)


def _times(first: Value, second: Value) -> Value:
    if isinstance(first, Fraction) and isinstance(second, Fraction):
        return first * second
    return complex(first) * complex(second)


def _over(first: Value, second: Value) -> Value:
    if isinstance(first, Fraction) and isinstance(second, Fraction):
        return first / second
    return complex(first) / complex(second)


def _raised(base: Value, exponent: Value) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if exponent.denominator == 1:
            if bits * abs(exponent) > _BITS:
                raise _Unknown
            return base ** int(exponent)
        if exponent == Fraction(1, 2) and base >= 0:
            above, below = math.isqrt(base.numerator), math.isqrt(base.denominator)
            if above**2 == base.numerator and below**2 == base.denominator:
                return Fraction(above, below)
        if base < 0 and exponent.denominator % 2 and exponent.denominator > 1:
            root = complex((-base) ** Fraction(1, exponent.denominator))  # the real root
            return complex((-root) ** exponent.numerator)
    value = complex(base) ** complex(exponent)
    if not cmath.isfinite(value):
        raise _Unknown
    return value
