"""Mathematical answers as text: the last `\\boxed{}`, integers, and the spellings that mean the same.

Pure functions. They decide the common cases (an integer, the same LaTeX in other spelling) without a computer algebra
system, and hand what is left to math-verify in a form that it reads as a whole.
"""

from __future__ import annotations

import re

from pdr_dspy.answers.boxed import last_boxed

_INTEGER = re.compile(r"[+-]?\d+(?:\.0*)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:(?:,|\{,\}|\\,)\d{3})+(?:\.0*)?")
_WRAPPERS = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}")
_SPACES = re.compile(r"\\[,;:! ]|\\q?quad|\\left(?![a-z])|\\right(?![a-z])|~|\s+")
_WORDS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}(?=[\s.,:;]|$)")
_DIGITS = 1000  # Python refuses to read an integer of more than 4300; no answer has so many


def final(text: str) -> str:
    """The part that counts: the last box if there is one, else the whole, without the dollar signs around it."""
    boxed = last_boxed(text)
    part = (text if boxed is None else boxed).strip()
    for left, right in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
        inner = part[len(left) : -len(right)]
        if len(part) > len(left) + len(right) and part.startswith(left) and part.endswith(right) and left not in inner:
            return inner.strip()
    return part


def integer(text: str) -> int | None:
    """The integer a text is (`33`, `033`, `$1{,}024$`, `7.0`, `\\boxed{5}`); None where it is anything else."""
    part = _SPACES.sub("", _WRAPPERS.sub(r"\1", final(text).replace("\\,", ","))).rstrip(".")
    if len(part) > _DIGITS:
        return None
    if _THOUSANDS.fullmatch(part):
        part = part.replace("{,}", "").replace(",", "")
    return int(part.partition(".")[0]) if _INTEGER.fullmatch(part) else None


def spelling(text: str) -> str:
    """One spelling for the many of the same answer: `\\dfrac` is `\\frac`, `\\left(` is `(`, spaces do not count."""
    part = _WRAPPERS.sub(r"\1", final(text))
    part = part.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("\\$", "").replace("\\%", "%")
    part = re.sub(r"\^\s*\{?\s*\\circ\s*\}?|°", "", part)
    return _SPACES.sub("", part).rstrip(".")


def quick_compare(reference: str, answer: str) -> bool | None:
    """Whether the two are equal, where text alone can say; None where math-verify has to."""
    if spelling(reference) == spelling(answer):
        return True
    wanted, given = integer(reference), integer(answer)
    if wanted is not None and given is not None:
        return wanted == given
    if not final(answer):
        return False
    word = spelling(reference)
    if word.isalpha() and len(word) > 1:
        # A word is no mathematics: math-verify would read it as a product of letters, or as nothing.
        return word.casefold() == spelling(answer).casefold()
    return None


def wrapped(text: str) -> str:
    """The answer in a form that math-verify reads as a whole.

    Undelimited `1+3\\sqrt{2}` would be read as 1, so a bare expression goes into a box. A sentence stays as it is, for
    math-verify to find the expression in it.
    """
    part = final(text)
    sentence = last_boxed(text) is None and ("$" in part or "\\(" in part or "\\[" in part or _WORDS.search(part))
    return part if sentence else f"\\boxed{{{part}}}"
