"""Numbers as they are written: `1,000`, `1 1/2`, `\\frac12`, `4.5 \\times 10^{33}`, `twelve`. Pure."""

from __future__ import annotations

import re
from fractions import Fraction

DIGITS = 1000
"""Characters of a number; Python refuses to read an integer of more than 4300 digits, and no answer has so many."""
_EXPONENT = 400
"""The greatest power of ten that is written out."""

_PLAINLY = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_GROUPED = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?"
_NUMBER = rf"{_PLAINLY}(?:[eE][+-]?[0-9]{{1,3}})?"
_SIGN = r"([+-]?) ?"
_PLAIN = re.compile(rf"{_SIGN}({_PLAINLY})(?:[eE]([+-]?[0-9]{{1,3}}))?")
_THOUSANDS = re.compile(rf"{_SIGN}({_GROUPED}|[0-9]{{1,3}}(?:(?: [0-9]{{3}})+|(?:'[0-9]{{3}})+)(?:\.[0-9]*)?)")
_TIMES = r"(?: ?(?:\\times|\\cdot|\*|x|X) ?)"
_POWER = r"10 ?(?:\^|\*\*) ?(?:\{ ?([+-]? ?[0-9]{1,3}) ?\}|\(([+-]?[0-9]{1,3})\)|([+-]?[0-9]{1,3}))"
_SCIENTIFIC = re.compile(rf"{_SIGN}(?:({_GROUPED}|{_PLAINLY}){_TIMES})?{_POWER}")
_PART = rf"\{{ ?([+-]?) ?((?:{_GROUPED})|{_NUMBER}) ?\}}"
_FRACTION = re.compile(rf"{_SIGN}(?:([0-9]+) ?)?\\frac ?{_PART} ?{_PART}")
_OVER = rf"({_GROUPED}|{_NUMBER})"
_RATIO = re.compile(
    rf"{_SIGN}(?:([0-9]+)(?: and | ))?{_OVER}"
    rf" ?(?:/|\\div|(?<= )over(?= )|(?<= )divided by(?= )|(?<= )out of(?= )) ?\(?([+-]?){_OVER}\)?"
)
_EUROPEAN = re.compile(
    rf"{_SIGN}([0-9]{{1,3}}(?:\.[0-9]{{3}})+),([0-9]{{1,2}})|([+-]?)([0-9]{{1,3}}(?:\.[0-9]{{3}}){{2,}})"
)
_SHORT = re.compile(r"([+-]?[0-9][0-9,]*(?:\.[0-9]+)?)(k|K|M|B|bn)")
_ENDLESS = re.compile(rf"{_SIGN}([0-9]*)\.([0-9]*?)([0-9]{{1,6}}?)\4\4+(?:\.\.\.|\u2026)|([0-9]+)\.()\(([0-9]+)\)")
"""`0.1666...`: what comes three times goes on; `0.(3)`. `0.5(3)` is a product."""
_REPEATING = re.compile(rf"{_SIGN}([0-9]*)\.([0-9]*)\\overline ?\{{ ?([0-9]+) ?\}}")
THOUSANDS_OR_LIST = re.compile(r"[1-9][0-9]{0,2}(?:,[1-9][0-9]{2})+")
"""`100,200`: a number with a separator, or two numbers."""

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NUMBER_NAMES = {name: i for i, name in enumerate(_ONES)} | {name: 10 * i for i, name in enumerate(_TENS, 2)}
"""What numbers up to ninety are called in one word."""
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4,
    "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6, "eighth": 8, "eighths": 8, "tenth": 10, "tenths": 10,
}  # fmt: skip
_SCALED = re.compile(rf"(.{{1,40}}?) (hundred|dozen|{'|'.join(_SCALES)})s?", re.IGNORECASE)


def rational(text: str) -> Fraction | None:
    """The number that a text is (`-3`, `1,000`, `.5`, `3/6`, `1 1/2`, `1e-5`); None where it is anything else."""
    text = text.strip()
    if not text or len(text) > DIGITS:
        return None
    if text[0] == "{" and text[-1] == "}":
        text = text[1:-1].strip()
    if plain := _PLAIN.fullmatch(text):
        return _raised(plain[1], Fraction(plain[2]), plain[3] or "0")
    if thousands := _THOUSANDS.fullmatch(text):
        return _signed(thousands[1], _read(thousands[2]))
    if (endless := _ENDLESS.fullmatch(text)) and len(text) <= 60:
        sign, whole, fixed, period = (endless[i] for i in (1, 2, 3, 4)) if endless[4] else ("", *endless.group(5, 6, 7))
        return rational(f"{sign}{whole}.{fixed}\\overline{{{period}}}")
    if european := _EUROPEAN.fullmatch(text):
        sign, whole, part, other_sign, other = european.groups()
        return _signed(sign or other_sign, Fraction(f"{(whole or other).replace('.', '')}.{part or 0}"))
    if scientific := _SCIENTIFIC.fullmatch(text):
        sign, above, *powers = scientific.groups()
        return _raised(sign, _read(above or "1"), next(power for power in powers if power))
    if repeating := _REPEATING.fullmatch(text):
        sign, whole, fixed, period = repeating.groups()
        digits = Fraction(int(fixed or 0)) + Fraction(int(period), 10 ** len(period) - 1)
        return _signed(sign, Fraction(int(whole or 0)) + digits / 10 ** len(fixed))
    return _quotient(text)


def listed(text: str) -> tuple[Fraction, ...]:
    """The numbers that a text is as a list, where its commas may be of a number too (`100,200`, `1.234,56`)."""
    if THOUSANDS_OR_LIST.fullmatch(text) or (_EUROPEAN.fullmatch(text) and "," in text):
        return tuple(Fraction(part) for part in text.split(","))
    return ()


def shortened(text: str) -> Fraction | None:
    """The number that `12.5k` is, if its letter is no variable."""
    found = _SHORT.fullmatch(text)
    value = rational(found[1]) if found else None
    return None if found is None or value is None else value * {"k": 10**3, "m": 10**6}.get(found[2].casefold(), 10**9)


def _quotient(text: str) -> Fraction | None:
    if ratio := _RATIO.fullmatch(text):
        sign, whole, above, minus, below = ratio.groups()
        minuses = minus
    elif fraction := _FRACTION.fullmatch(text):
        sign, whole, over, above, under, below = fraction.groups()
        minuses = over + under
    else:
        return None
    numerator, denominator = _read(above), _read(below)
    if not denominator:
        return None
    part = numerator / denominator
    if whole and (part >= 1 or "-" in minuses):
        return None  # `4 10/3` is no mixed number
    if minuses.count("-") % 2:
        part = -part
    return _signed(sign, Fraction(whole or 0) + part)


def worded(text: str) -> Fraction | None:
    """The number that words name: `twelve`, `Twenty-one`, `three quarters`,
    `2.5 million`; None where they name none."""
    words = text.casefold().replace("-", " ").split()
    if len(words) > 1 and words[0] == "a" and words[1] in ("hundred", *_SCALES):
        words[0] = "one"
    if len(words) > 1 and words[0] in ("negative", "minus"):
        value = worded(" ".join(words[1:])) if words[1] not in ("negative", "minus") else None
        return None if value is None else -value
    if words[-3:] in (["and", "a", "half"], ["and", "a", "quarter"]) and len(words) < 8:
        whole = worded(" ".join(words[:-3])) if len(words) > 3 else None
        return None if whole is None else whole + Fraction(1, 2 if words[-1] == "half" else 4)
    if words[-1:] in (["dozen"], ["dozens"]) and (dozens := 1 if words[:-1] == ["a"] else _count(words[:-1])):
        return Fraction(12 * dozens)
    if not words or len(words) > 8:
        return None
    if words[-1] in _PARTS and len(words) <= 3:
        count = _count([word for word in words[:-1] if word != "a"]) if words[:-1] not in ([], ["a"], ["one"]) else 1
        return None if count is None else Fraction(count, _PARTS[words[-1]])
    if (count := _count(words)) is not None:
        return Fraction(count)
    if (scaled := _SCALED.fullmatch(text)) and (number := rational(scaled[1])) is not None:
        return number * {"hundred": 100, "dozen": 12, **_SCALES}[scaled[2].casefold()]
    return None


def _count(words: list[str]) -> int | None:
    total = group = 0
    last = 10**15
    words = [word for word in words if word != "and"]
    for i, word in enumerate(words):
        before = words[i - 1] if i else ""
        if word in NUMBER_NAMES:
            tens = before in _TENS and 0 < NUMBER_NAMES[word] < 10
            if not (tens or before == "hundred" or before in _SCALES or not i):
                return None
            group += NUMBER_NAMES[word]
        elif word == "hundred" and 0 < group < 100:
            group *= 100
        elif word in _SCALES and group and _SCALES[word] < last:
            last = _SCALES[word]
            total, group = total + group * last, 0
        else:
            return None
    return total + group if words else None


def _read(digits: str) -> Fraction:
    return Fraction(re.sub("[, ']", "", digits))


def _raised(sign: str, value: Fraction, power: str) -> Fraction | None:
    exponent = int(power.replace(" ", ""))
    return _signed(sign, value * Fraction(10) ** exponent) if abs(exponent) <= _EXPONENT else None


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign == "-" else value
