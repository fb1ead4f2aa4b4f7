"""Whether words say what a reference says. Pure."""

from __future__ import annotations

import re

from pdr_dspy.answers.blanks import squeezed
from pdr_dspy.answers.nodes import Group, Named, Node, Scalar, Words
from pdr_dspy.answers.prose import words

_POLAR = ("yes", "no", "true", "false")
_KINDS = frozenset(
    {"triangle", "function", "number", "sequence", "matrix", "graph", "curve", "equation", "polynomial", "distribution"}
)
"""What an adjective may be said of without saying more: an isosceles triangle is isosceles."""
_ADJECTIVE = re.compile(r"(?!not|non|all|any|one|two|six|ten)[a-z]{3,}(?:-[a-z]+)?")
_PARITY = re.compile(
    r"(?:for )?(?:all |every |any )?(positive )?(odd|even|prime|composite)"
    r"(?: (?:integer|number|natural number|value))?(?: [a-z])?"
)
_ORDINALS = {"1st": "first", "2nd": "second", "7th": "seventh", "9th": "ninth"}  # "third" may be a part
_SHAPES = re.compile(r"\\(triangle|angle)(?![a-z])|\\(odot)(?![a-z])")
_SUPERLATIVE = re.compile(
    r"(?:(?!guest|forest|west|test|interest|nest|quest|request|honest|modest|least )[a-z]{2,}est|most [a-z]+|winner"
    r"|(?:correct|right) (?:one|answer|choice|person)|answer)"
    r"(?: (?:one|person|student|child|number|city|country|planet|player|runner|girl|boy|of all|of them(?: all)?"
    r"|of (?:two|three|four|five|group|all)(?: [a-z]+)?))?"
)


def said_in_words(said: Words, other: Node) -> bool:
    """Whether words and another node say the same."""
    if isinstance(other, Words):
        heads = (said.head or said.text, other.head or other.text)
        if said.text == other.text or (heads[0] == heads[1] and heads[0] in _POLAR):
            return True
        return (
            _parity(said.text) == _parity(other.text)
            or _described(said.text, other.text)
            or _described(other.text, said.text)
        )
    if isinstance(other, Scalar):
        # Initials (`U.S.A.`) are no product of variables beside words.
        return other.unit is None and _named(said.text) in (_named(other.text.casefold()), words(other.text).text)
    if isinstance(other, Group):
        return said.text == "origin" and other.shape == "(" and all(_zero(item) for item in other.items)
    return False


def endless(said: Words) -> bool:
    """Whether words say that there is no end of what is counted."""
    return said.text == "infinitely many"


def superlative(said: Words, answer: Named) -> bool:
    """Whether "Navya is the tallest" names what is asked for, instead of saying something of it."""
    of = answer.value
    return isinstance(of, Words) and said.text == answer.name and _SUPERLATIVE.fullmatch(of.text) is not None


def _described(adjective: str, text: str) -> bool:
    head, _, kind = text.rpartition(" ")
    return head == adjective and kind in _KINDS and adjective not in _KINDS and bool(_ADJECTIVE.fullmatch(adjective))


def _parity(text: str) -> str:
    """`all odd n`, `odd integer`, `every odd integer n` in one spelling."""
    found = _PARITY.fullmatch(text)
    return f"{found[1] or ''}{found[2]}" if found else text


def _named(text: str) -> str:
    """`\\triangle PQR` and "triangle PQR" in one spelling."""
    text = _SHAPES.sub(lambda m: f" {m[1] or 'circle'} ", text)
    return squeezed(re.sub(r"\A(?:line )?segment (?=[a-z]{2}\Z)", "", squeezed(_ORDINALS.get(text, text))))


def _zero(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value == 0
