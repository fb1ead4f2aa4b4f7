"""The exact value of an arithmetic expression, and the numbers it uses."""

from __future__ import annotations

import re
from fractions import Fraction

_TOKEN = re.compile(r"\s*(?:(\d{1,9})|([-+*/()]))")
_DEEPEST = 50
_LONGEST = 1000
"""Characters of an expression; no line has so many numbers."""


def evaluate(formula: str) -> tuple[Fraction, list[int]] | None:
    """The exact value of an arithmetic expression and the numbers it uses; None where it is not one."""
    if len(formula) > _LONGEST:
        return None
    tokens: list[str] = []
    position, text = 0, formula.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        tokens.append(match.group(1) or match.group(2))
        position = match.end()
    parser = _Parser(tokens)
    try:
        value = parser.sum(0)
    except (_NotAnExpression, ZeroDivisionError):
        return None
    return (value, parser.used) if not parser.tokens else None


class _NotAnExpression(Exception):
    pass


class _Parser:
    """Recursive descent over + - * / and parentheses."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]
        self.used: list[int] = []

    def _next_in(self, operators: str) -> bool:
        return bool(self.tokens) and self.tokens[-1] in operators

    def sum(self, depth: int) -> Fraction:
        value = self.product(depth)
        while self._next_in("+-"):
            sign = 1 if self.tokens.pop() == "+" else -1
            value += sign * self.product(depth)
        return value

    def product(self, depth: int) -> Fraction:
        value = self.atom(depth)
        while self._next_in("*/"):
            divide = self.tokens.pop() == "/"
            factor = self.atom(depth)
            value = value / factor if divide else value * factor
        return value

    def atom(self, depth: int) -> Fraction:
        if not self.tokens or depth > _DEEPEST:
            raise _NotAnExpression
        token = self.tokens.pop()
        if token.isdigit():
            self.used.append(int(token))
            return Fraction(int(token))
        if token == "(":
            value = self.sum(depth + 1)
            if self.tokens and self.tokens.pop() == ")":
                return value
        raise _NotAnExpression
