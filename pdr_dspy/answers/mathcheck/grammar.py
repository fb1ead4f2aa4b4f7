"""math-verify's LaTeX grammar, parsed faster: the same trees, the same expressions."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar

import sympy
from antlr4 import PredictionMode
from latex2sympy2_extended.latex2sympy2 import ConversionConfig, _Latex2Sympy
from sympy import Float, Integer

_SHAPES = 4096  # texts that differ in their numbers and letters only have one shape


class _Tree:
    """A parser that has parsed already."""

    def __init__(self, tree: Any) -> None:
        self._tree = tree

    def math(self) -> Any:
        return self._tree


class Converter(_Latex2Sympy):
    """LaTeX to sympy as math-verify does it.

    Two things make it fast. SLL prediction goes first: it gives the tree that full LL would give or fails (ANTLR's
    guarantee), and what it learns is kept from text to text. And a parser's decisions depend on its tokens' types
    alone (the grammar's predicates are about precedence only), so that for a shape seen before they are repeated.

    Args:
        real: Symbols are real, and `i` is one of them; else `i` is the imaginary unit.
        fold: `X` is `x`.
    """

    _shapes: ClassVar[OrderedDict[tuple[int, ...], list[int]]] = OrderedDict()

    def __init__(self, real: bool, fold: bool) -> None:
        super().__init__(None, True if real else None, False, config=ConversionConfig(lowercase_symbols=fold))

    def create_parser(self, latex_str: str) -> Any:
        """A parser whose `math()` is known."""
        parser = super().create_parser(latex_str)
        parser._input.fill()
        shape = tuple(token.type for token in parser._input.tokens if token.channel == 0)
        steps = self._shapes.get(shape)
        if steps is not None:
            self._shapes.move_to_end(shape)
            repeated = iter(steps)
            parser._interp.adaptivePredict = lambda *_: next(repeated)
            return _Tree(parser.math())
        try:
            tree, steps = self._recorded(parser, PredictionMode.SLL)
        except Exception:  # what the grammar's listener raises
            tree, steps = self._recorded(super().create_parser(latex_str), PredictionMode.LL)
        self._shapes[shape] = steps
        if len(self._shapes) > _SHAPES:
            self._shapes.popitem(last=False)
        return _Tree(tree)

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

    @staticmethod
    def _recorded(parser: Any, mode: Any) -> tuple[Any, list[int]]:
        steps: list[int] = []
        predict = parser._interp.adaptivePredict

        def recorded(*where: Any) -> int:
            steps.append(predict(*where))
            return steps[-1]

        parser._interp.predictionMode = mode
        parser._interp.adaptivePredict = recorded
        return parser.math(), steps
