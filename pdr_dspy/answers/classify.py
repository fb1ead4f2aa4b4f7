"""What a bare text is: the nodes of an answer. Pure, on bounded texts."""

from __future__ import annotations

import re

from pdr_dspy.answers.blanks import squeezed
from pdr_dspy.answers.enumerated import split
from pdr_dspy.answers.evaluate import close, evaluate
from pdr_dspy.answers.literals import literal
from pdr_dspy.answers.nodes import Group, Matrix, Named, Node, Nothing, Region, Relation, Scalar, Span, Words
from pdr_dspy.answers.prose import polar, qualified, stated, words, words_in
from pdr_dspy.answers.quantities import quantity
from pdr_dspy.answers.relations import MINUS, PLUS, VARIABLE, interval, related, span, top_level
from pdr_dspy.answers.spoken import spoken

_DEPTH = 5
_ITEMS = 400
_APPROXIMATE = re.compile(r"(?P<name>\S{1,20}?)\s*\\approx(?![a-z])\s*(?P<value>\S.*)", re.DOTALL)
_ASSIGNED = re.compile(r"(?P<name>[a-zA-Z](?:_\{?\w{1,8}\}?)?'?) ?= ?(?P<value>[^=<>]+)")
_FENCED = re.compile(r"[(\[] ?(?P<array>\\begin ?\{array\}.*\\end ?\{array\}) ?[)\]]", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\begin\s?\{([pbB]?matrix|array|cases)\}(?:\s?\{[lcr| ]*\})?(.*)\\end\s?\{\1\}", re.DOTALL)
_BUILDER = re.compile(r"(?:\\\{|\{)\s*(?P<left>[^|:{}]{1,40}?)\s*(?:\||:)\s*(?P<right>.+?)(?:\\\}|\})", re.DOTALL)
_IN = re.compile(
    r"(?P<name>[a-zA-Z]|\([a-z](?: ?, ?[a-z])+\))\s*(?:\\in(?![a-z])|in (?=[(\[\\]))\s*(?P<set>.+)", re.DOTALL
)
_REALS = re.compile(
    r"(?:\\mathbb ?\{ ?R ?\}|\\mathbb R|(?:the )?(?:set of )?(?:all )?(?:the )?real numbers|(?:all )?reals"
    r"|all real (?:values|[a-z]))",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"\([a-zA-Z](?: ?, ?[a-zA-Z])+\)|(?:\\(?:angle|triangle|measuredangle|overline|mathbb|vec|hat"
    r"|bar) ?)?(?:\{?[A-Za-z]{1,3}\}?|\\(?:theta"
    r"|alpha|beta|gamma|lambda|phi|omega|mu|sigma|Delta|zeta|Gamma|psi|rho|tau|epsilon|varepsilon|eta|kappa|nu|delta"
    r"|Omega|Theta|Phi|Lambda|ell))'{0,2}(?:(?<=[A-Zfgh])\^ ?\{? ?(?:-1|T) ?\}?)?"
    r"(?:_\{?[a-zA-Z0-9+, ]{1,8}\}?)?'{0,2}(?: ?\([^()]{0,30}\))?|\|[A-Za-z]{1,3}\||\\(?:lim|int|sum|prod"
    r"|frac ?\{d|det|gcd|max|min|log|binom|iint|mathrm|oint).*"
)
_VALUE_OF = re.compile(r"(?:.*\b)?(?:values?|side|angle|variable) (?:of )?\$?([a-zA-Z])\$?", re.IGNORECASE)
_LABELLED = re.compile(r"([A-Za-z][A-Za-z ]{2,40}?)\s*[:=]\s*(\S.*)", re.DOTALL)
_CAPTIONED = re.compile(r"([A-Za-z][A-Za-z ]{2,40}?) ((?:[-+.$\\]|[0-9])\S*)")
_CALLED = re.compile(
    r"(?:the )?(?:ordered )?(?:point|pair|triple|vector|vertex|interval|ratio|set|matrix)s?:?"
    r" (?=[(\[{0-9]|\\(?:\{|left|begin))",
    re.IGNORECASE,
)
_EITHER = re.compile(
    r"(?:either|both|(?:the )?(?:answers?|solutions?|roots?|values?)(?: are|:))\s+(?=\S)", re.IGNORECASE
)
_SIGNED = re.compile(r"\\pm(?![a-z])|\\mp(?![a-z])|\+/-|\+-")
_LABELS = re.compile(r"(?:\( ?[0-9]{1,2} ?\)\s*){2,}")  # of statements: (1)(3)
_OPEN = {"(": ")", "[": "]", "\\{": "\\}", "{": "}", "\\langle": "\\rangle"}


def classify(text: str, depth: int = 0) -> Node:
    """What a bare text is. Brackets in brackets are read to a small depth; what lies deeper stays an expression."""
    text = text.strip().strip("$").strip()
    if not text:
        return Nothing()
    if depth > _DEPTH:
        return Scalar(text)
    if (matrix := _matrix(text, depth)) is not None:
        return matrix
    if (token := literal(text)) is not None:
        return token
    if (number := quantity(text)) is not None:
        return number
    if polar(text) or text == "\\emptyset":
        return words(text)
    if _REALS.fullmatch(text):
        return Region((Span(MINUS, False, PLUS, False),))
    if text in ("\\infty", "+\\infty", "infinity", "Infinity", "positive infinity"):
        return PLUS
    if text in ("-\\infty", "-infinity", "negative infinity"):
        return MINUS
    if _LABELS.fullmatch(text):
        return Group(tuple(classify(label, depth + 1) for label in re.findall(r"[0-9]+", text)))
    if called := _CALLED.match(text):
        return classify(text[called.end() :], depth + 1)
    if either := _EITHER.match(text):
        text = text[either.end() :]
    return _structured(text, depth)


def _structured(text: str, depth: int) -> Node:
    member = _IN.fullmatch(text)
    if member is not None and isinstance(inside := classify(member["set"], depth + 1), Group) and inside.shape == "{":
        return Named(member["name"], inside, True)
    if re.match(r"[A-Z]'? ?\((?=[^()]*,)", text) and text.endswith(")"):
        text = text[text.index("(") :]  # a point's name before its coordinates
    if (region := _described(text)) is not None:
        return region
    if (bracketed := _bracketed(text, depth)) is not None:
        return bracketed
    if (assigned := _ASSIGNED.fullmatch(text)) and (amount := quantity(assigned["value"])) is not None:
        return Named(squeezed(assigned["name"]), amount, True)
    prose = bool(words_in(text))
    if prose and (said := stated(text)) is not None:
        label, value = said
        if not re.search(r"\b(?:is|are|=)\b.*\b(?:and|or)\b|\b(?:and|or)\b.*\b(?:is|are)\b", label):
            of = _VALUE_OF.fullmatch(label) or re.fullmatch(r"\$?([a-zA-Z])\$?", label)
            return Named(of[1] if of else words(label).text, classify(value, depth + 1), of is not None)
    items = split(text)
    if 1 < len(items) <= _ITEMS and not any(len(words_in(item)) > 6 and not stated(item) for item in items):
        parts = [part for item in items for part in _signed(classify(item, depth + 1))]
        return _captioned(parts, items) or _grouped(text, parts)
    if prose:
        labelled = _LABELLED.fullmatch(text)
        if labelled is not None and not qualified(labelled[1]):
            inner = classify(labelled[2], depth + 1)
            return words(text) if isinstance(inner, Words) else Named(words(labelled[1]).text, inner, False)
        return words(text)
    if (about := _APPROXIMATE.fullmatch(text)) and _NAME.fullmatch(about["name"]):
        return Named(squeezed(about["name"]), classify(about["value"], depth + 1), True)
    if (found := related(text)) is not None:
        return found if isinstance(found, Region) else _named(found, depth)
    if len(signs := _SIGNED.findall(text)) == 1 and len(text) < 200:
        return Group(
            tuple(classify(text.replace(signs[0], sign).strip().removeprefix("+"), depth + 1) for sign in "+-"),
            signed=True,
        )
    return Scalar(text)


def _signed(part: Node) -> tuple[Node, ...]:
    """Both values of the `\\pm 1` in an enumeration."""
    return part.items if isinstance(part, Group) and not part.shape and part.signed else (part,)


def _captioned(parts: list[Node], items: list[str]) -> Node | None:
    """`mean 12, variance 9`: each number with its name."""
    found = [_CAPTIONED.fullmatch(item) for item in items]
    if not all(isinstance(part, Words) for part in parts) or not all(found):
        return None
    named = [(words(each[1]).text, quantity(each[2])) for each in found if each and not qualified(each[1])]
    if len({name for name, value in named if value is not None}) != len(items):
        return None
    return Group(tuple(Named(name, value, False) for name, value in named if value is not None))


def _grouped(text: str, items: list[Node]) -> Node:
    """An enumeration: of inequalities the region, of values of one variable the values under its name."""
    regions = [item for item in items if isinstance(item, Region)]
    union = re.search(r"\bor\b|\\(?:lor|vee)", text) is not None
    points = [item for item in items if isinstance(item, Named) and isinstance(item.value, Scalar)]
    if regions and len(regions) + len(points) == len(items) and (union or len(items) == 1):
        spans = [each for region in regions for each in region.spans]
        spans += [Span(p.value, True, p.value, True) for p in points if isinstance(p.value, Scalar)]
        return Region(tuple(spans), regions[0].name)
    if len(regions) == len(items) == 2 and len(regions[0].spans) == len(regions[1].spans) == 1 and regions[0].name:
        (one,), (other,) = regions[0].spans, regions[1].spans
        low, high = (one, other) if one.high == PLUS else (other, one)
        if regions[0].name == regions[1].name and low.high == PLUS and high.low == MINUS:
            return Region((Span(low.low, low.low_closed, high.high, high.high_closed),), regions[0].name)
    first = items[0]
    if isinstance(first, Named) and first.symbol:
        same = [item.value for item in items if isinstance(item, Named) and item.name == first.name]
        bare = [item for item in items[1:] if isinstance(item, Scalar)]
        if len(same) == len(items) or (len(same) == 1 and len(bare) == len(items) - 1):
            return Named(first.name, Group(tuple([*same, *bare] if len(same) == 1 else same)), True)
    return Group(tuple(items), either=union)


def _named(found: Relation, depth: int) -> Node:
    """Of an equation `x = 12`, `6*7 = 42` what it gives; any other relation as it is."""
    if any(sign != "=" for sign in found.signs):
        return found
    first, last = found.terms[0], found.terms[-1]
    if _NAME.fullmatch(first) and not (len(found.terms) > 2 and VARIABLE.fullmatch(last)):
        return Named(squeezed(first), classify(last, depth + 1), True)
    if VARIABLE.fullmatch(last) and len(found.terms) == 2 and not VARIABLE.fullmatch(first):
        return Named(squeezed(last), classify(first, depth + 1), True)
    values = [evaluate(term) for term in found.terms]
    if all(value is not None and values[0] is not None and close(values[0], value) for value in values):
        return classify(last, depth + 1)
    return found


def _described(text: str) -> Region | None:
    if (region := spoken(text)) is not None:
        return region
    if (builder := _BUILDER.fullmatch(text)) is not None:
        found = classify(builder["right"].strip(" \\"), 1)
        return found if isinstance(found, Region) else None
    if (member := _IN.fullmatch(text)) is not None:
        inner = classify(member["set"], 1)
        if isinstance(inner, Group) and inner.shape in ("(", "[") and len(inner.items) == 2:
            one = span(member["set"])
            return None if one is None else Region((one,), member["name"])
        return Region(inner.spans, member["name"]) if isinstance(inner, Region) else None
    return interval(text)


def _bracketed(text: str, depth: int) -> Node | None:
    """A tuple, list or set, or what stands alone in parentheses."""
    opening = next((sign for sign in ("\\langle", "\\{", "(", "[", "{") if text.startswith(sign)), None)
    if opening is None or not text.endswith(_OPEN[opening]):
        return None
    depths = top_level(text)
    if 0 in depths[len(opening) : len(text) - 1] and opening not in ("\\langle",):
        return None
    inner = text[len(opening) : -len(_OPEN[opening])].strip()
    if not inner:
        return words("\\{\\}") if opening in ("\\{", "{") else Scalar(text)
    items = _commas(inner)
    shape = {"\\langle": "(", "\\{": "{"}.get(opening, opening)
    nodes = tuple(classify(item, depth + 1) for item in items)
    if len(nodes) == 1:
        return nodes[0] if opening == "(" or (opening == "{" and not words_in(inner)) else Group(nodes, shape)
    rows = [node.items for node in nodes if isinstance(node, Group) and node.shape == "["]
    if shape == "[" and len(rows) == len(nodes) and len({len(row) for row in rows}) == 1:
        return Matrix(tuple(rows))
    return Group(nodes, shape)


def _commas(inner: str) -> list[str]:
    """The parts of a bracket: at every comma, but for thousands where commas with a blank separate."""
    if ", " in inner or ";" in inner or not re.fullmatch(r"[-0-9,]+", inner):
        return split(inner)
    return [part for part in inner.split(",") if part]


def _matrix(text: str, depth: int) -> Node | None:
    fenced = _FENCED.fullmatch(text)
    found = _ENVIRONMENT.fullmatch(fenced["array"] if fenced else text)
    if found is None or found[1] == "cases" or "\\begin" in found[2]:
        return None
    lines = [line.strip() for line in re.split(r"\\\\(?:\[[^\]]*\])?", found[2])]
    rows = tuple(tuple(classify(cell, depth + 1) for cell in line.split("&")) for line in lines if line)
    return Matrix(rows) if rows and len({len(row) for row in rows}) == 1 else None
