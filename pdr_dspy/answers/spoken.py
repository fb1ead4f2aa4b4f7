"""Inequalities and sets of reals in words: "x is at least 3", "all real numbers except 2". Pure, on bounded texts."""

from __future__ import annotations

import re
from itertools import pairwise

from pdr_dspy.answers.nodes import Region, Span
from pdr_dspy.answers.numbers import rational
from pdr_dspy.answers.relations import MINUS, PLUS, related, scalar

_SIGNS = {
    "at least": "\\ge", "greater than or equal to": "\\ge", "no less than": "\\ge", "not less than": "\\ge",
    "at most": "\\le", "less than or equal to": "\\le", "no more than": "\\le", "no greater than": "\\le",
    "greater than": ">", "more than": ">", "strictly greater than": ">", "less than": "<", "strictly less than": "<",
}  # fmt: skip
_COMPARED = re.compile(
    rf"([a-zA-Z]) (?:is|must be) ({'|'.join(sorted(_SIGNS, key=len, reverse=True))}) ([-+0-9./\\{{}}a-z]{{1,60}})"
)
_WITHOUT = re.compile(
    r"(?:\\mathbb ?\{ ?R ?\}|\\mathbb R|(?:the )?(?:set of )?(?:all )?real (?:numbers|[a-z])|all reals)"
    r"\s*(?:\\setminus|\\backslash|(?<=\}) ?-|,? ?except(?: for)?|other than)\s*(?:[a-z] ?= ?)?"
    r"(?P<points>\\\{[^{}]{1,60}\\\}|[-+]?[0-9./]{1,20}(?:(?:,| and) ?[-+]?[0-9./]{1,20})*)"
)


_ZERO = {"positive": ">", "negative": "<", "nonnegative": "\\ge", "nonpositive": "\\le"}
_SIGNED = re.compile(
    r"(?:the )?(?:set of )?(?:all )?(?:the )?(positive|negative|non-?negative|non-?positive) (?:real numbers|reals)"
)


def spoken(text: str) -> Region | None:
    """The region that a sentence of one variable, or a set of reals without some, describes; None where it is none."""
    if len(text) > 200:
        return None
    if compared := _COMPARED.fullmatch(text):
        found = related(f"{compared[1]} {_SIGNS[compared[2]]} {compared[3]}")
        return found if isinstance(found, Region) else None
    if signed := _SIGNED.fullmatch(text):
        found = related(f"x {_ZERO[signed[1].replace('-', '')]} 0")
        return Region(found.spans) if isinstance(found, Region) else None
    if without := _WITHOUT.fullmatch(text):
        points = [rational(part) for part in re.split(r",| and ", without["points"].strip("\\{}"))]
        ends = sorted({point for point in points if point is not None})
        if len(ends) < len(points):
            return None
        bounds = [MINUS, *(scalar(str(end)) for end in ends), PLUS]
        return Region(tuple(Span(a, False, b, False) for a, b in pairwise(bounds)))
    return None
