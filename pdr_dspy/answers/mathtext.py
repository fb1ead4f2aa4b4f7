"""An expression in a form that math-verify reads as a whole. Pure."""

from __future__ import annotations

import re

_SCIENTIFIC = re.compile(r"(?<![\w.])([0-9]+(?:\.[0-9]+)?)[eE]([+-]?[0-9]{1,3})(?![\w.])")
_CALLS = re.compile(
    r"(?<![\\a-zA-Z])(sqrt|sin|cos|tan|cot|sec|csc|log|ln|exp|arcsin|arccos|arctan|pi|infty|theta|alpha"
    r"|beta)(?![a-zA-Z])"
)
_ROOT = re.compile(r"\\sqrt ?\(([^()]*)\)")
_FACTOR = re.compile(
    r"(\\(?:sin|cos|tan|cot|sec|csc|ln|log|exp)) ?((?:[0-9]+ ?)?(?:[a-zA-Z]|\\(?:theta|alpha|beta|gamma|phi|omega)))"
    r"(?= ?(?:\\cdot|\\times)(?![a-zA-Z]))"
)
_STARS = re.compile(r"\*\*")
_POWER = re.compile(r"\^ ?(?:\(([^()]*)\)|(-?[0-9]{2,}))")


def wrapped(text: str) -> str:
    """A bare expression, as `read` leaves it, in a box.

    Undelimited `1+3\\\\sqrt{2}` would be read as 1; `4.5e33` as a product with Euler's number; `sqrt(3)` as letters.
    """
    text = _SCIENTIFIC.sub(r"\1 \\cdot 10^{\2}", text)
    text = _ROOT.sub(r"\\sqrt{\1}", _CALLS.sub(r"\\\1", text))
    text = _FACTOR.sub(r"\1(\2)", text)  # `\\cos x \\cdot 2` would be read as the cosine of `2x`
    text = _POWER.sub(lambda m: f"^{{{m[1] or m[2]}}}", _STARS.sub("^", text))
    return f"\\boxed{{{text}}}"
