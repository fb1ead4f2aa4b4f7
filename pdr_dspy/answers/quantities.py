"""Numbers with what they are measured in: `12 cm`, `\\$18.90 per share`, `50%`, `3 hours 20 minutes`. Pure, bounded."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from pdr_dspy.answers.evaluate import evaluate
from pdr_dspy.answers.nodes import Scalar
from pdr_dspy.answers.numbers import listed, rational, worded
from pdr_dspy.answers.units import DEGREE, GLUED, Unit, unit

_CURRENCY = re.compile(r"([+-]?) ?(USD|US\$|CAD|AUD|[$€£¥₹]) ?(.+)")
_AMOUNT = re.compile(
    r"([0-9][0-9,]*(?:\.[0-9]+)?)(?: ?(k|K|M|m|B|bn|million|billion|thousand|trillion)(?![a-z]))?(?: ?(/.+)| (.+))?"
)
_SCALE = {"k": 3, "thousand": 3, "m": 6, "million": 6, "b": 9, "bn": 9, "billion": 9, "trillion": 12}
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]+)?|[a-z]+(?=[ -])) ?([a-zA-Z]+)\.?(?:, ?| and | ?(?=[0-9]))?")
_SEXAGESIMAL = re.compile(
    r"([+-]?)([0-9]+) ?\^\\circ ?([0-9]+(?:\.[0-9]+)?) ?'(?!') ?(?:([0-9]+(?:\.[0-9]+)?) ?(?:''|\"))?"
)
_FEET = re.compile(r"([0-9]+) ?'(?!') ?(?:-? ?([0-9]+(?:\.[0-9]+)?) ?(?:''|\"))")
_HOURS = re.compile(r"([0-9]+) ?h(?:r|rs)? ?([0-9]+) ?m(?:in|ins)?")
_TWICE = re.compile(r"([A-Za-z -]{3,60}) \(([-0-9.,/]{1,20})\)")
_ORDINAL = re.compile(r"third|fourth|fifth|sixth|eighth|tenth", re.IGNORECASE)
_SPLITS = 14
_APPROXIMATE = re.compile(
    r"(?:approximately|approx\.?|about|roughly|around|exactly|nearly equal to|\\approx|~)\s*(?=[-+\d\\$€£U])",
    re.IGNORECASE,
)
_CELSIUS = re.compile(r" ?\^\\circ ?([CF])(?![a-zA-Z])")
_NEGATIVE = re.compile(r"\A(?:negative|minus) (?=[0-9.\\])", re.IGNORECASE)
_HYPHENED = re.compile(r"(?<=[0-9])-(?=[a-z]{3,}\Z)")
_DEGREES = re.compile(r"(.+?) ?\^\\circ ?\Z")


def quantity(text: str) -> Scalar | None:
    """The number, and its unit, that a text is; None where it is anything else."""
    text = _APPROXIMATE.sub("", text, count=1) if _APPROXIMATE.match(text) else text
    text = _NEGATIVE.sub("-", text.replace("per cent", "percent"))
    text = _CELSIUS.sub(lambda m: " celsius" if m[1] == "C" else " fahrenheit", text)
    value = rational(text)
    if value is not None:
        return Scalar(text, value, None, listed(text))
    if (value := worded(text)) is not None:
        return Scalar(str(value), value)
    if len(text) > 300:
        return None
    return _marked(text) or _money(text) or _measured(text) or _summed(text) or _hyphened(text)


def _hyphened(text: str) -> Scalar | None:
    """`17-yard`."""
    parted = _HYPHENED.sub(" ", text)
    found = _measured(parted) if parted != text else None
    return found if found is not None and found.unit is not None and found.unit.dimension else None


def _marked(text: str) -> Scalar | None:
    """`5'4"` in feet and inches, `22°30'` in degrees and minutes, `1h 30m`, "five (5)"."""
    if angle := _SEXAGESIMAL.fullmatch(text):
        minutes, seconds = Fraction(angle[3]), Fraction(angle[4] or 0)
        if minutes >= 60 or seconds >= 60:
            return None
        value = Fraction(angle[2]) + minutes / 60 + seconds / 3600
        return Scalar(str(value), -value if angle[1] == "-" else value, DEGREE)
    if (spent := _HOURS.fullmatch(text)) and (second := unit("second")) is not None:
        hour, minute = int(spent[1]), int(spent[2])
        return Scalar(text, Fraction(3600 * hour + 60 * minute), second) if minute < 60 else None
    if (twice := _TWICE.fullmatch(text)) and (number := worded(twice[1])) is not None and number == rational(twice[2]):
        return Scalar(str(number), number)
    if (length := _FEET.fullmatch(text)) and (inch := unit("inch")) is not None:
        return Scalar(text, 12 * Fraction(length[1]) + Fraction(length[2]), inch)
    return None


def _money(text: str) -> Scalar | None:
    found = _CURRENCY.fullmatch(text)
    if found is None:
        return None
    sign, currency, rest = found.groups()
    amount = _AMOUNT.fullmatch(rest.strip())
    of = unit({"USD": "dollar", "US$": "dollar"}.get(currency, currency))
    if amount is not None and (value := rational(amount[1])) is not None and of is not None:
        if amount[2]:
            value *= 10 ** _SCALE[amount[2].casefold()]
        behind = amount[3] or amount[4]
        more = unit(f"$ {behind}") if behind else Unit()
        if more is None:
            return None
        return Scalar(str(value), -value if sign == "-" else value, replace(of, per=more.per), whole=text)
    inner = quantity(rest.strip())
    if inner is None or (inner.unit is not None and inner.unit != of):
        return None
    return Scalar(f"{sign}{inner.text}", None if inner.value is None else inner.value * (-1 if sign == "-" else 1), of)


def _measured(text: str) -> Scalar | None:
    """A number or a constant expression before a unit."""
    if degrees := _DEGREES.fullmatch(text):
        head = degrees[1].strip()
        if re.search(r"sin|cos|tan|cot|sec|csc", head):
            return None
        value = rational(head)
        return Scalar(head, value, DEGREE) if value is not None or evaluate(head) is not None else None
    for i in _places(text):
        head, tail = text[:i].strip(), text[i:].strip()
        if tail.startswith("(") and tail.endswith(")"):
            tail = tail[1:-1].strip()
        if tail.startswith("{") and tail.endswith("}") and tail.find("}", 1) == len(tail) - 2:
            tail = tail[1:-1].strip()  # of `\mathrm{m\,s^{-1}}`
        if head.endswith(("^", "_", "=", "+", "*", "\\")) or not tail or tail[0] in "+=<>*/^_([{":
            continue
        value = rational(head)
        if _ORDINAL.fullmatch(head):
            continue  # "third place" is not a third of one
        if (
            value is None
            and (value := worded(head)) is None
            and (evaluate(head) is None or (len(re.sub(r"\W", "", tail)) < 2 and text[i - 2 : i] != "  "))
        ):
            continue
        of = unit(tail)
        if of is None or not (of.dimension or of.names or tail.endswith(("unit", "units"))):
            continue
        glued = i and not text[i - 1].isspace()
        if glued and tail not in GLUED and tail[0] not in "%°^":
            continue
        if any(len(name) < 3 for name in of.names):
            continue  # a variable
        said = head if rational(head) is not None or value is None else str(value)
        return Scalar(said, value, of, whole=text)
    return None


def _places(text: str) -> list[int]:
    """Where a unit may begin: behind a blank, or right behind a digit."""
    places = [
        i
        for i in range(1, len(text))
        if (text[i - 1].isspace() and not text[i].isspace())
        or (text[i].isalpha() and (text[i - 1].isdigit() or text[i - 1] == "}"))
        or text[i] in "%("
        or (text.startswith("\\frac", i) and text[i - 1].isdigit())
    ]
    return places[:_SPLITS]


def _summed(text: str) -> Scalar | None:
    """`3 hours 20 minutes` in the base unit of both."""
    place, total, dimension, pieces = 0, Fraction(0), None, 0
    while place < len(text):
        found = _PIECE.match(text, place)
        if found is None or pieces > 4:
            return None
        value, of = rational(found[1]) if found[1][0].isdigit() else worded(found[1]), unit(found[2])
        if value is None or of is None or not of.dimension or of.names or (dimension or of.dimension) != of.dimension:
            return None
        dimension, total, pieces, place = of.dimension, total + value * of.factor, pieces + 1, found.end()
    return Scalar(str(total), total, Unit(dimension or ())) if pieces > 1 else None
