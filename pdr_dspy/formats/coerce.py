"""From what a model wrote for a field to the field's type: as DSPy reads it, else as a careful person would.

Decoration is taken off (code fences, `**`, `$`, quotes, `\\boxed{}`), and a value in a short phrase is found where
there is only one that it can be ("42 apples" for an `int`, "(A)" for a `Literal`). What could be read in two ways is
refused. Pure.
"""

from __future__ import annotations

import enum
import re
import types
from datetime import date, datetime
from typing import Any, Literal, Union, get_args, get_origin

from dspy.adapters.utils import annotation_allows_none
from pydantic import BaseModel

from pdr_dspy.answers.boxed import last_boxed
from pdr_dspy.answers.fences import fenced
from pdr_dspy.formats.repairing import repaired
from pdr_dspy.formats.typed import parsed_value

_NUMBER = r"[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?"
_NUMBERS = re.compile(_NUMBER)
_FRACTION = re.compile(rf"({_NUMBER})\s*/\s*({_NUMBER})")
_LATEX_FRACTION = re.compile(rf"\\[dt]?frac\{{({_NUMBER})\}}\{{({_NUMBER})\}}")
_NO_VALUE = re.compile(
    r"\\(?!text|mathrm|[,;!: ])|\b(?:hundred|thousand|million|billion|trillion|dozen)s?\b|\bnot sure\b|\bdon't know\b"
    r"|\b(?:maybe|perhaps|chapter|step)\b",
    re.IGNORECASE,
)
_PHRASE = 14
"""Words of a phrase that is searched for a value at most."""
_WRAPPED = (("**", "**"), ("__", "__"), ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("`", "`"),
            ('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("*", "*"))  # fmt: skip
_NONE = frozenset({"none", "null", "n/a", "na", "nothing", "-", ""})
_TRUE, _FALSE = frozenset({"true", "yes", "1", "correct"}), frozenset({"false", "no", "0", "incorrect"})
_DATES = ("%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%B %d %Y", "%Y/%m/%d", "%Y.%m.%d")
_LETTER = re.compile(
    r"(?:(?:option|choice|answer)\s*:?\s*)?[(\[]?\s*(\w{1,40})\s*(?:[)\]]|[.:](?:\s|\Z)|\Z)", re.IGNORECASE
)
_LONGEST = 100_000
"""Characters of a typed value at most that are looked at more than once."""


def bare(text: str) -> str:
    """A value without the decoration around it: fences, bold, dollars, quotes, a box, the point behind it."""
    part = text.strip()[:_LONGEST]
    for _ in range(6):
        before = part
        if (block := fenced(part, one_line=True)) is not None:
            part = block.strip()
        for left, right in _WRAPPED:
            inner = part[len(left) : len(part) - len(right)]
            around = len(part) > len(left) + len(right) and part.startswith(left) and part.endswith(right)
            if around and left not in inner and right not in inner:
                part = inner.strip()
        if (boxed := last_boxed(part)) is not None and part.startswith(("\\boxed", "\\fbox")):
            part = boxed.strip()
        if len(part) > 1 and part[-1] in ".;," and not part.endswith(".."):
            part = part[:-1].rstrip()
        if part == before:
            break
    return part


def lenient(text: str, annotation: Any) -> Any:
    """The value of a text, decoration and a short phrase around it allowed.

    Raises:
        ValueError: it is none of that type, or could be two.
    """
    if annotation is str:
        return text.strip()
    plain = bare(text)
    inner = optional_of(annotation)
    if inner is not None:
        return None if plain.casefold() in _NONE else lenient(text, inner)
    if annotation is bool:
        options = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
        return _choice(re.split(r"[,.;:!\n]", plain, maxsplit=1)[0], options)  # `Yes, it is.`
    if annotation in (int, float):
        return _number(plain, annotation)
    if isinstance(annotation, enum.EnumMeta):
        members: list[Any] = list(annotation)
        spelled = {**{str(each.name): each for each in members}, **{str(each.value): each for each in members}}
        return _choice(plain.removeprefix(f"{annotation.__name__}."), spelled)
    if get_origin(annotation) is Literal:
        return _choice(plain, {str(option): option for option in get_args(annotation)})
    if annotation in (date, datetime) and (found := _date(plain)) is not None:
        return found if annotation is datetime else found.date()
    for candidate in (plain, *_structures(text, annotation)):
        try:
            return parsed_value(candidate, annotation)
        except (ValueError, RecursionError):
            continue
    raise ValueError(f"{_short(text)} can't be read as {annotation}")


def optional_of(annotation: Any) -> Any:
    """The type beside None in an optional one, or None where it is no such type."""
    if get_origin(annotation) not in (Union, types.UnionType) or not annotation_allows_none(annotation):
        return None
    rest = [each for each in get_args(annotation) if each is not type(None)]
    return rest[0] if len(rest) == 1 else None


def _number(text: str, kind: type) -> Any:
    if kind is float and (fraction := _FRACTION.fullmatch(text) or _LATEX_FRACTION.fullmatch(text)):
        over = float(_digits(fraction[2]))
        if over:
            return float(_digits(fraction[1])) / over
    # A phrase is searched for the only number in it; a fraction or a range has two, a formula is none.
    found = _NUMBERS.findall(text[:2000])
    if len(found) != 1 or len(found[0]) > 300 or len(text.split()) > _PHRASE or _NO_VALUE.search(text):
        raise ValueError(f"{_short(text)} is not one number")
    value = float(_digits(found[0]))
    if kind is float:
        return value
    if value != int(value):
        raise ValueError(f"{_short(text)} is not whole")
    digits = _digits(found[0])
    return int(digits) if digits.lstrip("+-").isdigit() else int(value)


def _digits(text: str) -> str:
    return text.replace(",", "").replace("\u2212", "-")


def _choice(text: str, options: dict[str, Any]) -> Any:
    if text in options:
        return options[text]
    # Several spellings may mean one option; one spelling must not mean two.
    for tried in (text, text.split("\n", 1)[0], _letter(text)):
        folded = bare(tried).casefold()
        found = [value for key, value in options.items() if key.casefold() == folded]
        if found and all(value is found[0] or value == found[0] for value in found):
            return found[0]
    if (only := _only_named(text, options)) is not None:
        return only
    raise ValueError(f"{_short(text)} is none of {', '.join(options)}")


def _only_named(text: str, options: dict[str, Any]) -> Any:
    """The only option that a short phrase names ("So it is B."), or None; a letter must be one of its own."""
    if len(text.split()) > _PHRASE or re.search(r"\b(?:not|no|neither|nor)\b|n't\b", text, re.IGNORECASE):
        return None
    words = re.findall(r"\w+", text)
    folded = {word.casefold() for word in words}
    named = [v for key, v in options.items() if (key in words if len(key) == 1 else key.casefold() in folded)]
    return named[0] if named and all(value == named[0] for value in named) else None


def _letter(text: str) -> str:
    """The option at the beginning of `(A)`, `A) first`, `A. first`, `Option A`, `[A]`, `A: first`."""
    found = _LETTER.match(text)
    return found[1] if found else ""


def _date(text: str) -> datetime | None:
    for form in _DATES:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def _structures(text: str, annotation: Any) -> list[Any]:
    """What may be a list, mapping or model in a text: its JSON, the items of its lines, its numbers."""
    found: list[Any] = []
    for left, right in (("[", "]"), ("{", "}")):
        start, end = text.find(left), text.rfind(right)
        if 0 <= start < end:
            try:
                loaded = repaired(text[start : end + 1])
            except ValueError:
                continue
            found.append(loaded)
            if isinstance(loaded, dict) and get_origin(annotation) is list:
                found.append([loaded])
    if get_origin(annotation) is not list or not get_args(annotation):
        return found
    item = get_args(annotation)[0]
    part = bare(text).strip("()[]{}")
    lines = [re.sub(r"\A\s*(?:[-*\u2022]|\d+[.)])\s+", "", line) for line in part.splitlines() if line.strip()]
    split = [
        piece for piece in (lines if len(lines) > 1 else re.split(";" if ";" in part else ",", part)) if piece.strip()
    ]
    try:
        if not (isinstance(item, type) and issubclass(item, BaseModel)):
            found.append([lenient(piece, item) for piece in split])
    except ValueError:
        pass
    if item is int and (numbers := re.findall(r"(?<![\w.])\d+(?![\w.]*\d)", part[:2000])):
        found.append([int(n) for n in numbers if len(n) < 300])
    return found


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
