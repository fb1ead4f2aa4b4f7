"""A text as a sympy expression.

A whole text is read as LaTeX and nothing of it is dropped: units, a number's base, what follows a blank. Only a
sentence is searched for an expression, by math-verify, and only where that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import sympy
from latex2sympy2_extended.math_normalization import NormalizationConfig, normalize_latex
from latex2sympy2_extended.sets import FiniteSet
from math_verify.parser import parse
from mpmath.libmp import prec_to_dps, to_str
from sympy import Basic, Float, MatrixBase, Rational

from .grammar import Converter
from .size import check_size

Value: TypeAlias = Basic | MatrixBase

_NORMAL = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none", equations=False
)
# What the grammar would misread: 12 for `1 2`, 52 for the base of `52_8`, a quotient for the ratio `3:15`
_UNCLEAR = re.compile(
    r"(?<![_\d])\d+\s+\d|\d\s*_|\)\s*_|\d\s*\\[,;:! ]\s*\d|\d\s*(?:~|\\q?quad)\s*\d|\d\s*(?::|\\colon)\s*\d"
)
_POWER_OF_TEN = re.compile(r"(?<![A-Za-z\\\d.])(\d+\.?\d*|\.\d+)[eE]([+-]?\d+)(?![\d.])")
_UPRIGHT = re.compile(r"\\(?:mathrm|operatorname|text|rm)\s*\{\s*([ei])\s*\}")
_IMAGINARY = re.compile(r"(?<![A-Za-z\\_{])i(?![A-Za-z])|(?<=\{)i(?=[\s\\}])|\\(?:mathrm|text) ?\{i\}|\\imath")
_WITH_COMPLEX = re.compile(r"\\mathbb\{C\}|\\(?:Re|Im|arg)(?![a-z])")
_BUILDER = re.compile(r"\\\{\s*([A-Za-z])\s*(?:\\mid|\||:)\s*(.+?)\s*\\\}", re.DOTALL)
_NO_SUM = re.compile(r"\\(?:sum|prod|lim|int)(?![a-z])")


@dataclass(frozen=True)
class Read:
    """What a text says.

    Attributes:
        text: The text as it was normalised; all that is known where `value` is None.
        value: Its expression, decimals as fractions; None where it can't be read.
        repeated: The items of a list without brackets in which one comes more than once.
        digits: Significant digits of the shortest decimal in it; None where it holds none.
        unit: One unit in the last place, where the text is one decimal.
    """

    text: str
    value: Value | None
    repeated: tuple[Basic, ...] = ()
    digits: int | None = None
    unit: Rational | None = None


def imaginary(text: str) -> bool:
    """Whether a text's `i` is the imaginary unit, rather than an index or part of a word."""
    return bool(_WITH_COMPLEX.search(text) or (_IMAGINARY.search(text) and not _NO_SUM.search(text)))


def letters(text: str) -> set[str]:
    """The letters that stand alone for something."""
    return set(re.findall(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", " ", text)))


@lru_cache(maxsize=8192)
def read(text: str, whole: bool, real: bool, fold: bool) -> Read:
    """Read a text.

    Args:
        text: The text; one box around all of it is taken off.
        whole: Read all of it or nothing. Else a text that is not one box may be a sentence to be searched.
        real: Symbols are real, and `i` is one of them.
        fold: `X` is `x`.

    Raises:
        TooLarge: it holds a number that can't be written out.
    """
    inner = unboxed(text)
    if inner is None and not whole:
        return _searched(text)
    source = (text if inner is None else inner).strip()
    normal = normalize_latex(_POWER_OF_TEN.sub(r"\1\\cdot 10^{\2}", _UPRIGHT.sub(r"\1 ", source)), _NORMAL).strip()
    if not normal or _UNCLEAR.search(source):
        return Read(" ".join(source.split()), None)
    if builder := _BUILDER.fullmatch(normal):
        normal = builder[2]
    value = _converted(normal, real, fold)
    return Read(normal, None) if value is None else _exact(normal, value)


def unboxed(text: str) -> str | None:
    """What is in the box, where the text is one `\\boxed{}` and nothing else. Linear in the text."""
    start = re.match(r"\s*\$?\s*\\(?:boxed|fbox)\s*\{", text)
    if start is None:
        return None
    depth = 1
    for mark in re.finditer(r"\\.|[{}]", text[start.end() :], re.DOTALL):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if not depth:
            end = start.end() + mark.start()
            return text[start.end() : end] if text[end + 1 :].strip() in ("", ".", "$") else None
    return None


def warm() -> None:
    """Let the grammar learn what common answers look like, before the first one is timed."""
    for text in (r"\frac{1}{2}", r"\sqrt{2}+1", "(1,2)", r"[-1,\infty)", "x^{2}+3x-4", "y=2x+1", "1, 2, 3", r"2\pi"):
        read(text, True, True, False)


def _converted(text: str, real: bool, fold: bool) -> Value | None:
    try:
        value = Converter(real, fold).parse(text)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # sympy and the grammar raise nearly anything on odd text
        return None
    return value if isinstance(value, Value) else None


def _searched(text: str) -> Read:
    found = [part for part in parse(text, parsing_timeout=None, raise_on_error=True) if isinstance(part, Value)]
    return _exact(text, found[0]) if found else Read(text.strip(), None)


def _exact(text: str, value: Value) -> Read:
    """With decimals as the fractions they are."""
    check_size(value)
    listed = getattr(value, "_unsorted_args", ()) if isinstance(value, FiniteSet) else ()
    floats = value.atoms(Float) if isinstance(value, Basic) else {f for part in value.flat() for f in part.atoms(Float)}
    if not floats:
        return Read(text, value, _repeated(text, value, listed))
    written = {number: to_str(number._mpf_, prec_to_dps(number._prec)) for number in floats}
    digits = min(_digits(decimal) for decimal in written.values())
    exact = {number: Rational(decimal) for number, decimal in written.items()}
    unit = None
    bare = sympy.Mul(-1, value) if isinstance(value, sympy.Mul) and value.args[0] == -1 else value
    if isinstance(bare, Float):
        unit = _unit(to_str(bare._mpf_, prec_to_dps(bare._prec)))
    # `xreplace` leaves a list its order but not its type
    listed = tuple(item.xreplace(exact) for item in listed)
    value = FiniteSet(*listed) if listed else value.xreplace(exact)
    return Read(text, value, _repeated(text, value, listed), digits, unit)


def _repeated(text: str, value: Value, listed: Sequence[Basic]) -> tuple[Basic, ...]:
    return tuple(listed) if listed and len(listed) > len(value.args) and not text.startswith("\\{") else ()


def _digits(decimal: str) -> int:
    return len(decimal.partition("e")[0].replace("-", "").replace(".", "").strip("0"))


def _unit(decimal: str) -> Rational:
    mantissa, _, exponent = decimal.partition("e")
    places = len(mantissa.partition(".")[2].rstrip("0"))
    return Rational(10) ** (int(exponent or 0) - places)
