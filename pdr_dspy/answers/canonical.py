"""One spelling for the many of an answer. Pure, and linear in the text.

`canonical` takes off what models put around an answer (markdown, dollar signs, a box, "The answer is", a full stop),
reads a number however it is written (`1,000`, `0.50`, `\\frac12`, `5 cm`), and a choice's letter (`(B)`, `B.`). Two
answers that come out alike say the same; two that do not may still be equal, which is for a computer algebra system to
say. Units are taken off a number, not compared.
"""

from __future__ import annotations

import re
from fractions import Fraction

from pdr_dspy.answers.boxed import last_boxed

_DIGITS = 1000  # characters; Python refuses to read an integer of more than 4300 digits, and no answer has so many
_ROUNDS = 8  # of taking off what surrounds an answer

_DELIMITERS = re.compile(r"\\?[$€£]|\\[()\[\]]|\\displaystyle(?![a-zA-Z])|\\left(?![a-zA-Z])|\\right(?![a-zA-Z])|\\!")
_THIN = re.compile(r"(?<=[0-9])(?:\{,\}|\\,)(?=[0-9]{3})")
_SPACES = re.compile(r"(?:\\[,;: ]|\\q?quad(?![a-zA-Z])|~|\s)+")
_DEGREES = re.compile(r" ?(?:\^ ?\{ ?\\circ ?\}|\^ ?\\circ(?![a-zA-Z])|°)")
_PERCENT = re.compile(r"(?<=[0-9]) ?\\?%")
_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|boldsymbol|operatorname) ?\{([^{}]*)\}")
_LEAD = re.compile(
    r"(?:(?:so|thus|hence|therefore),? )?(?:the |my )?(?:final |correct )?"
    r"(?:(?:answer|result)(?: is ?:?| ?[:=])|(?:option|choice|answer)(?= [(\[]?[a-z][)\].]?$)) ?",
    re.IGNORECASE,
)
_PAIRS = (("***", "***"), ("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"), ("```", "```"), ("`", "`"),
          ('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("\u2018", "\u2019"))  # fmt: skip
_EMPHASIS = re.compile(r"(?<![\w)*])(\*\*|__)(?=\S)([^*_\n]+)\1(?![\w(*])")
_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\].:]{0,2}")
_NAMED = re.compile(r"(?:[A-Za-z]|\\[a-z]+) ?= ?(.*)", re.DOTALL)

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_PLAIN = re.compile(rf"([+-]?) ?({_NUMBER})")
_THOUSANDS = re.compile(r"([+-]?) ?([0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?)")
_PART = rf"(?:\{{ ?([+-]?{_NUMBER}) ?\}}|([0-9]))"
_FRACTION = re.compile(rf"([+-]?) ?(?:([0-9]+) ?)?\\frac ?{_PART} ?{_PART}")
_RATIO = re.compile(rf"([+-]?) ?(?:([0-9]+) )?({_NUMBER}) ?/ ?({_NUMBER})")

_UNIT = re.compile(
    r"(?:[A-Za-zµΩ]+\.?(?:\^\{?-?[0-9]\}?|[²³])?)(?:(?: | ?[/·*] ?)[A-Za-zµΩ]+\.?(?:\^\{?-?[0-9]\}?|[²³])?){0,3}"
)
_GLUED = frozenset(
    {
        "cm", "mm", "km", "kg", "mg", "ml", "cl", "dl", "kw", "kwh", "hz", "khz", "mhz", "ghz", "mph", "kmh",
    }
)  # fmt: skip
_NO_UNITS = frozenset(
    {
        "million", "billion", "trillion", "thousand", "hundred", "dozen", "pi", "e", "i", "am", "pm", "bc", "ad",
        "and", "or", "to", "of", "by", "out", "over", "mod", "base", "plus", "minus", "times", "sqrt", "sin",
        "cos", "tan", "log", "ln", "exp", "left", "right", "north", "south", "east", "west", "more", "less",
        "than", "not",
    }
)  # fmt: skip

_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]{3,}|\b(?:am|pm|bc|ad)\b")
_FUNCTIONS = frozenset(
    {
        "sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "pi", "inf",
    }
)  # fmt: skip
_LONGEST = 200  # characters of what a computer algebra system is asked about


def canonical(text: str) -> str:
    """The answer in the one spelling of what it says: a reduced fraction where it is a number, folded case in words.

    >>> [canonical(t) for t in (r"$\\boxed{\\dfrac{1}{2}}$", "**0.50**.", "The answer is 1,000 cm", "(B)", "B.")]
    ['1/2', '1/2', '1000', 'b', 'b']
    """
    part = last_boxed(text)
    part = _bare(_typeset(text if part is None else part))
    number = _number(part)
    if number is not None:
        return str(number)
    part = _bare(_TEXT.sub(r" \1 ", _TEXT.sub(r" \1 ", part)))
    number = _number(part)
    if number is not None:
        return str(number)
    if letter := _LETTER.fullmatch(part):
        return letter[1].casefold()
    # Spaces around signs say nothing; a comma keeps one, lest `1, 234` becomes a number.
    part = re.sub(r" ?([^\w\s\\]) ?", r"\1", " ".join(part.split())).replace(",", ", ").strip()
    return part if "\\" in part else part.casefold()


def rational(text: str) -> Fraction | None:
    """The number that a text is (`-3`, `1,000`, `.5`, `3/6`, `1 1/2`, `\\frac12`); None where it is anything else."""
    text = text.strip()
    if not text or len(text) > _DIGITS:
        return None
    if plain := _PLAIN.fullmatch(text):
        return _signed(plain[1], Fraction(plain[2]))
    if thousands := _THOUSANDS.fullmatch(text):
        return _signed(thousands[1], Fraction(thousands[2].replace(",", "")))
    if ratio := _RATIO.fullmatch(text):
        sign, whole, above, below = ratio.groups()
    elif fraction := _FRACTION.fullmatch(text):
        sign, whole, *parts = fraction.groups()
        above, below = (part for part in parts if part is not None)
    else:
        return None
    if not Fraction(below):
        return None
    return _signed(sign, Fraction(whole or 0) + Fraction(above) / Fraction(below))


def mathematical(spelled: str) -> bool:
    """Whether a canonical text may be an expression, rather than words, a choice's letter or a long text."""
    if len(spelled) > _LONGEST or ":" in spelled:
        return False
    words = _WORD.findall(_COMMAND.sub(" ", spelled))
    return any(c.isdigit() or c in "\\=^+-*/" for c in spelled) and all(word.casefold() in _FUNCTIONS for word in words)


def _typeset(text: str) -> str:
    """Without what only sets it in type, one space between words."""
    text = _DELIMITERS.sub("", _EMPHASIS.sub(r"\2", text)).replace("\u2212", "-")
    text = _SPACES.sub(" ", _THIN.sub(",", text))
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    return _PERCENT.sub("", _DEGREES.sub("", text))


def _bare(text: str) -> str:
    """Without what stands around it: markdown, quotes, the words before an answer, the full stop after it."""
    for _ in range(_ROUNDS):
        before = text
        text = text.strip().lstrip("#").rstrip(".。,;").strip()
        if lead := _LEAD.match(text):
            text = text[lead.end() :]
        for left, right in _PAIRS:
            if len(text) >= len(left) + len(right) and text.startswith(left) and text.endswith(right):
                text = text[len(left) : -len(right)]
        if text == before:
            break
    return text


def _number(text: str) -> Fraction | None:
    """The number that a text says, with its unit, in brackets, or as the value of a variable."""
    if len(text) > _DIGITS:
        return None
    if named := _NAMED.fullmatch(text):
        text = named[1]
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    found = rational(text)
    return _measured(text) if found is None else found


def _measured(text: str) -> Fraction | None:
    """The number before a unit."""
    typeset = _TEXT.search(text)
    if typeset is not None and (number := rational(text[: typeset.start()])) is not None:
        inner, after = typeset[1].strip(), text[typeset.end() :].strip()
        power = not after or re.fullmatch(r"\^ ?\{? ?-?[0-9] ?\}?", after)
        return number if power and _UNIT.fullmatch(inner) and not _counts(inner) else None
    letter = re.search(r"[A-Za-zµΩ]", text)
    if letter is None or not letter.start():
        return None
    head, unit = text[: letter.start()], text[letter.start() :]
    first = re.match(r"\w+", unit)
    apart = head.endswith(" ") and first is not None and len(first[0]) > 1
    if (apart or unit.casefold() in _GLUED) and _UNIT.fullmatch(unit) and not _counts(unit):
        return rational(head)
    return None


def _counts(unit: str) -> bool:
    """Whether the words after a number change it."""
    return any(word in _NO_UNITS for word in re.findall(r"[a-z]{2,}", unit.casefold()))


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign == "-" else value
