"""math-verify's LaTeX grammar: the same trees, the same expressions."""

from __future__ import annotations

from typing import Any

import sympy
from latex2sympy2_extended.latex2sympy2 import ConversionConfig, _Latex2Sympy
from sympy import Float, Integer

from .trees import tree


class _Parsed:
    def __init__(self, root: Any) -> None:
        self._root = root

    def math(self) -> Any:
        return self._root


class Converter(_Latex2Sympy):
    """LaTeX to sympy as math-verify does it.

    Args:
        real: Symbols are real, and `i` is one of them; else `i` is the imaginary unit.
        fold: `X` is `x`.
    """

    def __init__(self, real: bool, fold: bool) -> None:
        super().__init__(None, True if real else None, False, config=ConversionConfig(lowercase_symbols=fold))

    def create_parser(self, latex_str: str) -> Any:
        """A parser that has parsed the text already."""
        return _Parsed(tree(latex_str))

    def convert_binom(self, binom: Any) -> Any:
        """Without evaluating it: its size is looked at first."""
        return sympy.binomial(self.convert_expr(binom.upper), self.convert_expr(binom.lower), evaluate=False)

    def parse_number(self, text: str) -> Any:
        """As sympy reads it, without a detour over Python's parser."""
        text = text.replace(",", "")
        return Integer(int(text)) if text.isascii() and text.isdigit() else Float(text)

    def convert_atom_expr(self, atom_expr: Any) -> Any:
        """`i` is the imaginary unit where symbols may be complex."""
        found = super().convert_atom_expr(atom_expr)
        unit = sympy.Symbol("i")
        if self.is_real is not None or not found.has(unit):
            return found
        return sympy.Pow(sympy.I, found.exp, evaluate=False) if isinstance(found, sympy.Pow) else sympy.I
