"""Intervals and relations: `(5,\\infty)`, `2 \\le x < 3`, `b > a > c`, `x + y = 1`. Pure, on bounded texts."""

from __future__ import annotations

import re

from pdr_dspy.answers.linear import linear
from pdr_dspy.answers.nodes import Region, Relation, Scalar, Span
from pdr_dspy.answers.numbers import rational

_SIGN = re.compile(r"\\le(?![a-z])|\\ge(?![a-z])|\\ne(?![a-z])|\\equiv(?![a-z])|[<>=]")
_SIGNS = {"\\le": "<=", "\\ge": ">=", "\\ne": "!=", "\\equiv": "=="}
_TURNED = {">": "<", ">=": "<="}
VARIABLE = re.compile(
    r"[a-zA-Z]|\\(?:theta|alpha|beta|gamma|lambda|phi|omega|mu|sigma)|[a-zA-Z]_\{?[a-zA-Z0-9]{1,3}\}?|[a-zA-Z]'"
)
_ENVIRONMENT = re.compile(r"\\begin.{1,1000}?\\end ?\{[a-zA-Z]+\}", re.DOTALL)
_LETTER = re.compile(r"(?<![a-zA-Z\\])[a-zA-Z](?![a-zA-Z])")
_CONSTANTS = re.compile(
    r"\\(?:infty|pi|sqrt|frac|cdot|times|ln|log|sin|cos|tan)(?![a-z])|(?<![a-zA-Z])e(?![a-zA-Z])"
    r"|(?<![a-zA-Z])(?:oo|inf|infinity|pi|sqrt)(?![a-z])"
)
_INFINITY = re.compile(r"([+-]?) ?(?:\\infty|oo|inf|infinity)")
_SIZE = re.compile(r"\| ?([^|]{1,60}?) ?\|")
_FRENCH = re.compile(r"[\[\]] ?[^\[\]{}]{1,60}[,;][^\[\]{}]{1,60}[\[\]]")
_BETWEEN = re.compile(
    r"(?:(?P<name>[a-z]) (?:is|lies) )?(?P<open>strictly )?"
    r"(?:between (?P<a>\S{1,40}) and|from (?P<b>\S{1,40}) to) (?P<high>[^\s,]{1,40})"
    r"(?:,? \(?(?P<how>inclusive|exclusive)(?:ly)?\)?)?",
    re.IGNORECASE,
)
PLUS, MINUS = Scalar("\\infty"), Scalar("-\\infty")


def top_level(text: str) -> list[int]:
    """How deep in brackets and environments each character stands; a half-open interval closes what it opened."""
    depth, depths = 0, []
    for character in text:
        if character in ")]}":
            depth = max(0, depth - 1)
        depths.append(depth)
        if character in "([{":
            depth += 1
    for found in _ENVIRONMENT.finditer(text):
        depths[found.start() + 1 : found.end()] = [deep + 1 for deep in depths[found.start() + 1 : found.end()]]
    return depths


def scalar(text: str) -> Scalar:
    """A bound: a number, an expression or infinity."""
    text = text.strip()
    if infinite := _INFINITY.fullmatch(text):
        return MINUS if infinite[1] == "-" else PLUS
    return Scalar(text, rational(text))


def constant(text: str) -> bool:
    """Whether an expression has no variable in it."""
    return re.search(r"[a-zA-Z]", _CONSTANTS.sub(" ", text)) is None and bool(text.strip())


def terms(text: str) -> tuple[list[str], list[str]] | None:
    """The terms of a text with relation signs, and the signs; None where there is none at the top level."""
    depths = top_level(text)
    parts, signs, place = [], [], 0
    for found in _SIGN.finditer(text):
        if depths[found.start()]:
            continue
        parts.append(text[place : found.start()].strip())
        signs.append(_SIGNS.get(found[0], found[0]))
        place = found.end()
    parts.append(text[place:].strip())
    return (parts, signs) if signs and all(parts) else None


def related(text: str) -> Region | Relation | None:
    """An inequality in one variable as the region it describes, any other relation as itself; None: no relation."""
    found = terms(text)
    if found is None:
        return None
    parts, signs = found
    if all(sign in (">", ">=") for sign in signs):
        parts, signs = parts[::-1], [_TURNED[sign] for sign in reversed(signs)]
    region = _region(parts, signs)
    return region if region is not None else Relation(tuple(parts), tuple(signs))


def _region(parts: list[str], signs: list[str]) -> Region | None:
    if signs == ["!="]:
        name, other = parts if VARIABLE.fullmatch(parts[0]) else parts[::-1]
        if VARIABLE.fullmatch(name) and constant(other):
            point = scalar(other)
            return Region((Span(MINUS, False, point, False), Span(point, False, PLUS, False)), name)
        return None
    if not all(sign in ("<", "<=") for sign in signs):
        return None
    closed = [sign == "<=" for sign in signs]
    if len(parts) == 3 and VARIABLE.fullmatch(parts[1]) and constant(parts[0]) and constant(parts[2]):
        low, high = scalar(parts[0]), scalar(parts[2])
        return Region((Span(low, closed[0] and low != MINUS, high, closed[1] and high != PLUS),), parts[1])
    if len(parts) != 2:
        return None
    less, more = parts
    if (sized := _sized(less, more, closed[0])) is not None:
        return sized
    if VARIABLE.fullmatch(more) and constant(less):
        return Region((Span(scalar(less), closed[0], PLUS, False),), more)
    if VARIABLE.fullmatch(less) and constant(more):
        return Region((Span(MINUS, False, scalar(more), closed[0]),), less)
    return _solved(less, more, closed[0])


def _sized(less: str, more: str, closed: bool) -> Region | None:
    """The region of `|x - 1| < 2`, or of `2 < |x - 1|`."""
    inside = _SIZE.fullmatch(less)
    found, bound = inside or _SIZE.fullmatch(more), rational(more if inside else less)
    inner = None if found is None else linear(found[1])
    if inner is None or bound is None or bound <= 0 or not inner[0]:
        return None
    slope, rest, name = inner
    ends = sorted(((-bound - rest) / slope, (bound - rest) / slope))
    low, high = (Scalar(str(end), end) for end in ends)
    if inside:
        return Region((Span(low, closed, high, closed),), name)
    return Region((Span(MINUS, False, low, closed), Span(high, closed, PLUS, False)), name)


def _solved(low: str, high: str, closed: bool) -> Region | None:
    """The region of a linear inequality `low < high` in one variable."""
    left, right = linear(low), linear(high)
    if left is None or right is None or (left[2] and right[2] and left[2] != right[2]):
        return None
    slope, rest = right[0] - left[0], left[1] - right[1]
    if not slope:
        return None
    bound, name = rest / slope, left[2] or right[2]
    edge = Scalar(str(bound), bound)
    return Region((Span(edge, closed, PLUS, False) if slope > 0 else Span(MINUS, False, edge, closed),), name)


def interval(text: str) -> Region | None:
    """What `[2,3)`, `(-\\infty, 0) \\cup \\{1\\}` describe; None where it is no interval,
    or may be a pair of numbers."""
    if between := _BETWEEN.fullmatch(text):
        return _worded(between)
    spans: list[Span] = []
    pieces = [_turned(piece.strip()) for piece in re.split(r"\\cup(?![a-z])|(?<=[)\]}])\s*U\s*(?=[(\[\\])", text)]
    for piece in pieces:
        inner = piece[2:-2] if piece.startswith("\\{") and piece.endswith("\\}") else None
        if inner is not None and len(pieces) > 1:
            spans += [Span(point, True, point, True) for point in map(scalar, inner.split(","))]
            continue
        one = span(piece)
        if one is None:
            return None
        sure = (
            text.startswith("]")
            or {piece[0], piece[-1]} in ({"(", "]"}, {"[", ")"})
            or "infty" in piece
            or len(pieces) > 1
        )
        if not sure:
            return None
        spans.append(one)
    return Region(tuple(spans)) if spans else None


def _turned(piece: str) -> str:
    """`[2, 3[` and `]2, 3]` with the parenthesis that others write."""
    if not _FRENCH.fullmatch(piece) or (piece[0] == "[" and piece[-1] == "]"):
        return piece
    inner = piece[1:-1] if "," in piece else piece[1:-1].replace(";", ",")
    return ("(" if piece[0] == "]" else "[") + inner + (")" if piece[-1] == "[" else "]")


def _worded(between: re.Match[str]) -> Region | None:
    """ "between 2 and 6, inclusive"; where nothing is said of the ends, it is open what it means."""
    low, high = scalar(between["a"] or between["b"]), scalar(between["high"])
    if not (between["open"] or between["how"]) or low.value is None or high.value is None or low.value > high.value:
        return None
    closed = (between["how"] or "").casefold() == "inclusive"
    return None if closed and between["open"] else Region((Span(low, closed, high, closed),), between["name"] or "")


def span(text: str) -> Span | None:
    """The interval between two brackets; None where it has not two constant bounds."""
    if len(text) < 5 or text[0] not in "([" or text[-1] not in ")]":
        return None
    inner = text[1:-1]
    depths = top_level(inner)
    commas = [i for i, character in enumerate(inner) if character == "," and not depths[i]]
    if len(commas) != 1:
        return None
    low, high = scalar(inner[: commas[0]]), scalar(inner[commas[0] + 1 :])
    if not low.text or not high.text or low == PLUS or high == MINUS:
        return None
    return Span(low, text[0] == "[" and low != MINUS, high, text[-1] == "]" and high != PLUS)
