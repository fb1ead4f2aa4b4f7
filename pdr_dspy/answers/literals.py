"""What is compared by its digits: times of day, ratios, numbers in a base, dates. Pure, on bounded texts."""

from __future__ import annotations

import re
from fractions import Fraction
from math import gcd

from pdr_dspy.answers.nodes import Token
from pdr_dspy.answers.numbers import worded

_CLOCK = re.compile(r"([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2}))?)? ?(a\.?m\.?|p\.?m\.?|noon|o'clock)?", re.IGNORECASE)
_RATIO = re.compile(r"[0-9.]+(?: ?: ?[0-9.]+)+|[0-9.]+(?: to [0-9.]+)+|ratio of [0-9.]+ to [0-9.]+")
_BASE = re.compile(
    r"([0-9A-Fa-f]{1,60}) ?(?:_ ?(?:\{ ?([a-zA-Z0-9 ]+?) ?\}|([0-9]{1,2}|[a-z]{3,12}))| (?:in "
    r"|\()?base[ -]([0-9]{1,2}|[a-z]{3,12})\)?)"
)
_PREFIXED = re.compile(r"0(?:[xX]([0-9A-Fa-f]{1,60})|[bB]([01]{1,60})|[oO]([0-7]{1,60}))")
_NAMED = re.compile(r"([0-9A-Fa-f]{1,60}) (?:in )?\(?(hex(?:adecimal)?|octal|binary)\)?", re.IGNORECASE)
_NAMES = {"h": 16, "o": 8, "b": 2}
_NOON = re.compile(r"(?:at )?(?:12(?::00)? )?(noon|midday|midnight)", re.IGNORECASE)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATES = (
    (re.compile(rf"{_MONTH} ([0-9]{{1,2}})(?:st|nd|rd|th)?(?:,? ([0-9]{{4}}))?", re.IGNORECASE), (1, 2, 3)),
    (
        re.compile(rf"(?:the )?([0-9]{{1,2}})(?:st|nd|rd|th)? (?:of )?{_MONTH}(?:,? ([0-9]{{4}}))?", re.IGNORECASE),
        (2, 1, 3),
    ),
    (re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})"), (2, 3, 1)),
)


def literal(text: str) -> Token | None:
    """The time, ratio, based number or date that a text is; None where it is none."""
    text = " ".join(text.split())
    if len(text) > 80:
        return None
    return _clock(text) or _ratio(text) or _based(text) or _date(text)


def _clock(text: str) -> Token | None:
    if named := _NOON.fullmatch(text):
        hour = 0 if named[1].casefold() == "midnight" else 12
        return Token("clock", (hour, 0, 0), (12, 0, 0))
    found = _CLOCK.fullmatch(text)
    if found is None or not (found[2] or found[4]):
        return None
    half = (found[4] or "").casefold().replace(".", "")[:1]
    hour, minute, second = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    if hour > 24 or minute > 59 or (half in ("a", "p") and hour > 12):
        return _ratio(text)
    if half in ("a", "p"):
        return Token("clock", (hour % 12 + (12 if half == "p" else 0), minute, second), (hour, minute, second))
    # `17:00` and `0:30` can only be one time; `5:00` may be either.
    return Token("clock", () if 0 < hour <= 12 else (hour, minute, second), (hour, minute, second))


def _ratio(text: str) -> Token | None:
    if not _RATIO.fullmatch(text):
        return None
    try:
        parts = [Fraction(part) for part in re.findall(r"[0-9.]+", text)]
    except (ValueError, ZeroDivisionError):
        return None
    below = 1
    for part in parts:
        below = below * part.denominator // gcd(below, part.denominator)
    counts = [int(part * below) for part in parts]
    common = gcd(*counts) or 1
    return Token("ratio", tuple(count // common for count in counts))


def _based(text: str) -> Token | None:
    if prefixed := _PREFIXED.fullmatch(text):
        sixteen, two, eight = prefixed.groups()
        return _digits(sixteen or two or eight, 16 if sixteen else 2 if two else 8)
    if named := _NAMED.fullmatch(text):
        return _digits(named[1], _NAMES[named[2][0].casefold()])
    text = re.sub(r"\A\(([0-9A-Fa-f]+)\)(?=[ _])", r"\1", text)
    if "_" in text:
        text = re.sub(r"(?<=[0-9]) (?=[A-F])|(?<=[A-F]) (?=[0-9A-F_])", "", text)
    text = re.sub(r"_ ?\{ ?\(([0-9]+)\) ?\}", r"_{\1}", text)
    found = _BASE.fullmatch(text)
    if found is None:
        return None
    digits, said = found[1].upper().lstrip("0") or "0", (found[2] or found[3] or found[4]).strip()
    base = Fraction(said) if said.isdecimal() else worded(said.removeprefix("base "))
    named_so = base == 16 and len(digits) > 1 and found[1].isupper()  # `AB_{12}` is a name, `FF_{16}` a number
    if base is None or not (named_so or any(digit.isdigit() for digit in digits)):
        return None
    return _digits(digits, int(base)) if 2 <= base <= 36 else None


def _digits(text: str, base: int) -> Token | None:
    digits = text.upper().lstrip("0") or "0"
    return None if any(int(digit, 36) >= base for digit in digits) else Token("base", (digits, base), (digits,))


def _date(text: str) -> Token | None:
    for pattern, (month, day, year) in _DATES:
        if found := pattern.fullmatch(text):
            named = found[month][:3].casefold()
            number = _MONTHS.index(named) + 1 if named in _MONTHS else int(found[month])
            return Token("date", (number, int(found[day]), int(found[year] or 0)), (number, int(found[day])))
    return None


def tokens_equal(first: Token, second: Token) -> bool:
    """Whether two say the same, as far as both say it."""
    if {first.sort, second.sort} == {"clock", "ratio"}:
        ratio, clock = (first, second) if first.sort == "ratio" else (second, first)
        hour, minute, _ = clock.loose
        return (
            isinstance(hour, int) and isinstance(minute, int) and not _halved(clock) and same_ratio(ratio, hour, minute)
        )
    if first.sort != second.sort:
        return False
    if first.sort == "clock" and not (first.key and second.key):
        # `1:30` is no `13:30` where neither side tells morning and evening apart: both may be ratios or durations.
        return first.loose == second.loose or ((_halved(first) or _halved(second)) and _hands(first) == _hands(second))
    if first.sort == "date" and 0 in (first.key[2], second.key[2]):
        return first.loose == second.loose
    return first.key == second.key


def _halved(clock: Token) -> bool:
    """Whether a time says AM or PM, noon or midnight."""
    hour = clock.loose[0]
    return bool(clock.key) and isinstance(hour, int) and 0 < hour <= 12


def _hands(clock: Token) -> tuple[object, ...]:
    """Where the hands stand where one side does not tell morning and evening apart."""
    hour, *rest = clock.loose
    assert isinstance(hour, int)
    return (hour % 12, *rest)


def same_ratio(ratio: Token, first: int, second: int) -> bool:
    """Whether a ratio is that of two numbers."""
    common = gcd(first, second) or 1
    return ratio.key == (first // common, second // common)
