"""What a sentence says: what it states, that it hedges, its words alone. On bounded texts; pure."""

from __future__ import annotations

import re

from pdr_dspy.answers.nodes import Words

FUNCTIONS = frozenset(
    {
        "sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "pi", "inf", "arcsin", "arccos", "arctan",
        "sinh", "cosh", "tanh", "lim", "max", "min", "gcd", "lcm", "mod", "bmod", "pmod", "theta", "alpha", "beta",
        "sum", "int", "det", "deg", "infty", "binom", "frac", "pmatrix", "bmatrix", "vmatrix", "matrix", "array",
        "cases",
    }
)  # fmt: skip
_SHORT_WORDS = frozenset(
    [
        "is",
        "no",
        "of",
        "an",
        "or",
        "to",
        "in",
        "on",
        "at",
        "it",
        "by",
        "be",
        "we",
        "he",
        "me",
        "my",
        "up",
        "us",
        "so",
        "as",
        "if",
        "do",
        "go",
        "am",
        "pm",
        "us",
        "ok",
    ]
)
_COMMAND = re.compile(r"\\[A-Za-z]+")
_FACTORS = re.compile(r"(?<![A-Za-z])[A-Za-z]{1,3}(?=[\^_])|(?<=[})])[a-z]{1,2}(?![A-Za-z])")  # the `at` of `at^2`
_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
_QUALIFIED = re.compile(
    r"\b(?:not|no|never|negative|two|three|four|five|six|seven|eight|nine|ten|out of|wrong|incorrect|false"
    r"|cannot|neither|nor|except|without|or|either|maybe|perhaps|possibly|might"
    r"|could|(?-i:may)|may be|if|unless|when|whenever|than|least|most|between|over|under|half|twice|thrice"
    r"|double|triple(?! is\b| \(|\Z)"
    r"|times|squared|cubed|root|(?<![0-9] )(?:more|less|fewer)|hundred|thousand|million|billion|dozen|minus|plus"
    r"|divided|multiplied|guess|greater|exceeds?|almost|nearly|step|chapter|every|depends|unknown|unclear|up to|any"
    r"|from|retracted|per|half|only if|ruled|rejected|excluded|instead|rather|but)\b|n't\b|\?",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"(?P<label>.{0,160}?[^\s=<>])\s+(?:is|are|was|were|equals?|becomes|comes to|is given by|will be|must be|should be"
    r"|has (?:the )?equation)\s+"
    r"(?P<value>\S.{0,400})",
    re.DOTALL,
)
_FILL = re.compile(
    r"(?:(?:equal to|given by|then|therefore|thus|hence|indeed|exactly|simply|just|also|always|approximately|about"
    r"|roughly|around|precisely|either|both|\\approx|:|at|located at)\s+)+",
    re.IGNORECASE,
)
_DOES = re.compile(
    r"(?P<label>it|he|she|they|the [a-z]{3,15}) (?:(?:is|are|was|were) )?(?:now )?"
    r"(?:fac(?:es?|ed|ing)|points?|pointing|heads?|heading|goes|moves?|moving|travels?|traveling|lies|lands|becomes?"
    r"|falls?|fell|remains?|stays?|forms?|represents?"
    r"|diverges?|converges?|tends?|approaches)(?: (?:towards?|to|on|in|at))? (?P<value>\S.{0,80})",
    re.IGNORECASE | re.DOTALL,
)
_PER = re.compile(r"(?<=[0-9a-z]) per (?=[a-z]{3,}\b)")
_SO = re.compile(r"[,;] (?:and )?(?:so|therefore|thus|hence),? (?=\S)")
_CALC = re.compile(
    r"(?P<label>(?:we|you|he|she|they|it|this|which)\b.{0,80}?\b(?:get|gets|obtain|find|have|gives"
    r"|yields))\s+(?P<value>\S.{0,200})",
                   re.DOTALL | re.IGNORECASE)  # fmt: skip
_POLAR = re.compile(r"(yes|no|true|false)(?:\s*[,.;:!\u2014]\s*|\s+-\s+)(\S.*)", re.IGNORECASE | re.DOTALL)
_PRODUCT = re.compile(r"[abc]{3}|[b-df-hj-np-tv-z]{3}|(?=[A-Za-z]{2,4}\Z)(?:[a-z]+[A-Z]|[A-Z]{2,}[a-z])[A-Za-z]*")
"""Of variables: `abc`, `mgh`, `GMm`, `qvB`."""
_SUBJECT = re.compile(r"\A(?:on|in|at|by) (?=\w)|\A(?:it|they|series?|sequence|integral|function|limit) (?=\w+\Z)")
_ABSENT = re.compile(r"(?:it|limit|derivative|integral|sum|value|solution|inverse|such [a-z]+) (?=does not exist\Z)")
_INITIALS = re.compile(r"\b(?:[A-Za-z]\. ?)+[A-Za-z](?![A-Za-z])\.?|\b(?:[A-Z] ){2,}(?=[A-Z][a-z])")
_ARTICLE = re.compile(
    r"(?<![\w'-])(?:an?|the) (?=[^\W_])(?!(?:and|or|is|are|was|were|of|in|to|vs|with)\b)(?-i:(?<!\w A )|(?![a-z]))",
    re.IGNORECASE,
)
"""Before a word. The `A` of `Vitamin A` is none, nor that of `Hepatitis A virus`: an article would be small there."""
_TERMS = re.compile(r"(solution|integer|number|triangle|function|line|point|root)s")
"""Of mathematics, in the singular in a phrase. The last letter of a name belongs to it."""
_SYNONYMS = {
    "\\emptyset": "no solution", "empty set": "no solution", "infinitely many solution": "infinitely many",
    "infinite": "infinitely many", "infinite number": "infinitely many", "infinite solution": "infinitely many",
    "infinite number of solution": "infinitely many", "null set": "no solution", "\\{\\}": "no solution",
    "no real solution": "no real solution", "does not exist": "dne", "not defined": "undefined",
}  # fmt: skip
_MATHS = re.compile(r"\$([^$]{1,300})\$|\\\((.{1,300}?)\\\)")
_TIMES = re.compile(
    r"(?<![\w.:])[0-9]{1,2}(?::[0-9]{2}(?::[0-9]{2})?(?: ?[ap]\.?m\b\.?)?| ?[ap]\.?m\b\.?)(?![\w:])", re.IGNORECASE
)
_COUNT = re.compile(r"\D{0,80}?\bare (?:exactly |precisely |only )?([0-9]{1,3}) [^\d:=]{1,80}:\s*(\S.*)", re.DOTALL)
_NUMBERS = re.compile(
    r"(?<![\w.,^_{(/\\-])(?:\\?[$€£] ?)?[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+"
    r"|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?: [0-9]+)?(?:/[0-9]+)?"
    r"(?: ?(?:%|\\%|\^\\circ|(?:per [a-z]{3,12}|(?!(?:more|less|fewer)\b)[a-zA-Z]{1,12}(?: per [a-z]{3,12})?)\b"
    r"(?:\^[0-9])?))?"
)


def qualified(text: str) -> bool:
    """Whether a text negates, hedges or makes a condition, so that a number in it is not what it says."""
    return _QUALIFIED.search(text) is not None


def words_in(text: str) -> list[str]:
    """The words of a text that are no names of functions, variables or commands."""
    found = _WORD.findall(_FACTORS.sub(" ", _COMMAND.sub(" ", text)))
    capitals = 4 if any(c in "\\=^" for c in text) else 0  # of names of lines and angles: `\\angle ABC = 30`
    return [
        word
        for word in found
        if word.casefold() in _SHORT_WORDS
        or (
            len(word) > 2
            and word.casefold() not in FUNCTIONS
            and not _PRODUCT.fullmatch(word)
            and not (word.isupper() and len(word) <= capitals)
        )
    ]


def stated(text: str) -> tuple[str, str] | None:
    """Of a sentence that states something, of what and what: "The mean is 10" states (`The mean`, `10`)."""
    found = None
    text = re.sub(r"\A(it|that|he|she)'s ", r"\1 is ", text, flags=re.IGNORECASE)
    for pattern in (_DOES, _STATED, _CALC):
        place = 0
        while (match := pattern.match(text, place)) and len(text) - place > 2:
            found = match
            place = match.start("value")
            if pattern is not _STATED:
                break
        if found:
            break
    if found is None:
        return None
    label = text[: found.end("label")].strip()
    value = _FILL.sub("", found["value"], count=1) if _FILL.match(found["value"]) else found["value"]
    if (
        re.search(r"[0-9].*[.!?] ", label)
        or qualified(label)
        or re.search(r"[,;]\s|=", label)
        or re.match(r"not\b", value)
    ):
        return None
    return label, value.strip()


def polar(text: str) -> str:
    """`yes`, `no`, `true` or `false`, where a text begins with it and goes on to say why; else empty."""
    found = _POLAR.fullmatch(text)
    if found is None or re.search(r"\b(?:yes|no|true|false)\b", found[2], re.IGNORECASE) or len(found[2].split()) < 2:
        return ""
    return found[1].casefold()


def words(text: str) -> Words:
    """A text as words: folded, without articles and sentence marks, terms of mathematics in the singular."""
    head = polar(text)
    text = _INITIALS.sub(lambda m: re.sub(r"[. ]", "", m[0]) + " ", text)
    folded = text.replace("$", "").replace("*", "")
    folded = re.sub(r"(?<=[^\W\d])[.](?=\s|$)|[\"`!?]", "", folded)
    folded = re.sub(r"'(?=\s|$)", "", folded)
    folded = _ARTICLE.sub("", re.sub(r"\s*[,;:]\s*", ", ", " ".join(folded.split())))
    parts = folded.casefold().split()
    if len(parts) > 1:
        parts = [found[1] if (found := _TERMS.fullmatch(part)) else part for part in parts]
    bare = _SUBJECT.sub("", re.sub(r"\A- ", "", " ".join(parts).strip(" ,;:")), count=1)
    bare = _ABSENT.sub("", bare, count=1)
    return Words(_SYNONYMS.get(bare, bare), head)


def only_part(text: str) -> str | None:
    """The one formula, or the one number, that an unqualified sentence holds; None where there is none, or several."""
    if len(text) > 400 or qualified(_PER.sub(" a ", text)):
        return None
    if concluded := list(_SO.finditer(text)):
        text = text[concluded[-1].end() :]
    formulas = [match[1] or match[2] for match in _MATHS.finditer(text)]
    outside = _MATHS.sub(" ", text)
    if not formulas and len(times := _TIMES.findall(outside)) == 1 and not re.search(r"[0-9]", _TIMES.sub("", outside)):
        return str(times[0])
    if (counted := _COUNT.fullmatch(text)) and len(re.split(r"\s*(?:, and|,|;| and) \s*", counted[2])) == int(
        counted[1]
    ):
        return counted[1]
    numbers = [match[0] for match in _NUMBERS.finditer(outside)]
    if len(formulas) == 1 and not numbers and not re.search(r"[=<>\\]", outside):
        return formulas[0]
    if not formulas and len(numbers) == 1 and len(re.findall(r"[0-9]+", outside.replace(numbers[0], "", 1))) == 0:
        return None if re.search(r"[=<>^_{}\\+*/]", outside.replace(numbers[0], " ", 1)) else numbers[0]
    return None
