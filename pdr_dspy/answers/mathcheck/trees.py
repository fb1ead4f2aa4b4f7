"""Parse trees of LaTeX: the ones that ANTLR builds, and faster, as most answers look like one that came before.

Where a text's tokens end depends on its characters, and on digits only as digits: the tokens of a text are those of
any other that differs in digits alone. The tree depends on the tokens' types alone (the grammar's predicates are about
precedence only): it is kept, and given the tokens of the next text.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from antlr4 import CommonTokenStream, InputStream, ParserRuleContext, PredictionMode
from antlr4.ListTokenSource import ListTokenSource
from antlr4.Token import CommonToken
from antlr4.tree.Tree import TerminalNode
from latex2sympy2_extended.antlr_parser import PSLexer, PSParser
from latex2sympy2_extended.latex2sympy2 import _Latex2Sympy

LONGEST = 32
"""Tokens of a tree that is kept, which takes some 1.5 kB for each."""

_AS_ZERO = str.maketrans("123456789", "000000000")
_NAMED = "\\char"  # in tokens that begin so (`\char000391`), and in no others, one digit is not like another
_LISTENER = _Latex2Sympy.MathErrorListener("")  # raises


def _first(context: Any, kind: type, index: int) -> Any:
    for part in context.children or ():
        if isinstance(part, kind):
            if not index:
                return part
            index -= 1
    return None


def _token(context: Any, kind: int, index: int) -> Any:
    for part in context.children or ():
        if isinstance(part, TerminalNode) and part.symbol.type == kind:
            if not index:
                return part
            index -= 1
    return None


# What ANTLR's own do, without a generator for each: a conversion to sympy looks some ten times at each part of a tree.
_contexts: list[Any] = [each for each in vars(PSParser).values() if isinstance(each, type)]
for _context in _contexts:
    if issubclass(_context, ParserRuleContext):
        _context.getTypedRuleContext, _context.getToken = _first, _token


class Tree:
    """What ANTLR makes of a list of tokens.

    Args:
        types: The tokens' types.

    Raises:
        Exception: they make no expression.
    """

    def __init__(self, types: tuple[int, ...]) -> None:
        try:
            self._parse(types, PredictionMode.SLL)
        except Exception:  # SLL prediction gives the tree that LL would give or fails: it is ANTLR's guarantee
            self._parse(types, PredictionMode.LL)

    def _parse(self, types: tuple[int, ...], mode: Any) -> None:
        self._tokens = [CommonToken(type=type_) for type_ in types]
        parser = PSParser(CommonTokenStream(ListTokenSource(self._tokens)))
        parser.removeErrorListeners()
        parser.addErrorListener(_LISTENER)
        parser._interp.predictionMode = mode
        self._root = parser.math()
        for part in _within(self._root):
            # Nobody looks up from a part: without these the tree is freed with its last use, and holds no parser.
            part.parentCtx = part.parser = None

    def of(self, text: str, places: tuple[tuple[int, int], ...]) -> Any:
        """The tree of a text whose tokens have these types. It is that text's until the next is asked for.

        Args:
            text: The text.
            places: First and last character of each token.
        """
        source = (None, InputStream(text))
        for token, (start, stop) in zip(self._tokens, places, strict=True):
            token.source, token.start, token.stop = source, start, stop
        return self._root


def _within(root: Any) -> Iterator[Any]:
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ParserRuleContext):
            yield part
            waiting.extend(part.children or ())


def tree(text: str) -> Any:
    """The parse tree of a text, valid until the next one is asked for.

    Raises:
        Exception: it is no LaTeX that the grammar knows.
    """
    types, places = _tokens(text if _NAMED in text else text.translate(_AS_ZERO))
    known = _kept(types) if len(types) <= LONGEST else Tree(types)
    if known is None:
        raise ValueError(text)
    return known.of(text, places)


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    lexer = PSLexer(InputStream(text))
    lexer.removeErrorListeners()
    lexer.addErrorListener(_LISTENER)
    stream = CommonTokenStream(lexer)
    stream.fill()
    return tuple(each.type for each in stream.tokens), tuple((each.start, each.stop) for each in stream.tokens)


@lru_cache(maxsize=512)
def _kept(types: tuple[int, ...]) -> Tree | None:
    try:
        return Tree(types)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # what the listener raises, and what it stumbles over
        return None
