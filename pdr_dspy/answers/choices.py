"""The options that an answer names: `B`, "(B)", "B) 12", "Option B", "A, C". Pure, on bounded texts."""

from __future__ import annotations

import re

_LETTER = re.compile(r"[(\[]? ?([A-Za-z]) ?[)\]]?\.?")
_NAMED = re.compile(
    r"(?:(?:the |my )?(?:final |correct |right |best )?(?:option|choice|answer|statement"
    r"|letter)s?:? )[(\[]?([A-Ja-j])[)\]]?"
    r"(?: (?:is|would be) (?:the )?(?:correct|right|true|best|answer)\b[^,;]{0,40})?",
    re.IGNORECASE,
)
_CORRECT = re.compile(
    r"(?:(?:since|because|as) .{1,120}?, (?:so |only )?)?"
    r"[(\[]?([A-J])[)\]]? (?:is|would be) (?:the )?(?:correct|right|true|best|answer)(?: (?:answer|option|choice))?",
    re.IGNORECASE,
)
_WITH_TEXT = re.compile(
    r"(?:(?:option|choice|answer) )?(?:[(\[] ?([A-Ja-j]) ?[)\]][.:]?\s*|([A-J]) ?(?:[).:]\s*(?![A-Z]\.)|\s-\s)"
    r"|([a-j])\)\s*)(\S.*)",
    re.DOTALL | re.IGNORECASE,
)
_STATED = re.compile(
    r"(?:.{1,120} )?(?:is|are|choose|select|pick|go with|going with|option|choice|be)\s+(?:option |choice "
    r"|answer )?[(\[]?([A-J])[)\]]?(?:\.|$)",
    re.DOTALL,
)
_ONE = r"(?:\([A-Ja-j]\)|\[[A-Ja-j]\]|[A-Ja-j]\)?)"
_SEVERAL = re.compile(rf"(?:{_ONE}(?:\s*(?:,|;|&|and|,\s*and)\s*|\s+|(?=[(\[])))+{_ONE}")
_TOGETHER = re.compile(r"[A-J]{2,10}")
_ELSE = re.compile(
    r"\W*(?:is|are|was|isn't|or|and|but|not|wrong|incorrect|false|nor)\b|.*\b(?:wrong|incorrect|or)\b"
    r"|.*(?<![A-Za-z\\])[(\[][A-J][)\]]",
    re.IGNORECASE | re.DOTALL,
)
_CHOSEN = re.compile(
    r"(?:I|we)(?:'d|'ll| would| will)? (?:choose|pick|select|go with|think|believe|say)(?: that)?"
    r"(?: (?:it is|it's|the answer is))? (?:option |choice |answer )?(?=\S)",
    re.IGNORECASE,
)
_X = r"[(\[]?[A-J][)\]]?"
_REJECTED = re.compile(
    rf"(?:(?:(?:it is |it's )?not|it (?:cannot|can't) be|it isn't) {_X}"
    rf"|{_X}(?:(?:,? and|,) {_X}){{0,8}} (?:is|are) (?:also |all |both )?"
    r"(?:wrong|incorrect|false|impossible|(?:much |far )?too [a-z]+|not (?:right|correct|it)))"
    r"[.,;:]?\s+(?:(?:and|but|so|therefore|thus|hence|then|it must be|it is|it's|the answer is),? ){0,4}(?=\S)",
    re.IGNORECASE,
)
_ROUNDS = 10


def chosen(text: str) -> str:
    """What a text says that it chooses: `(B) 15 m/s` of "I would choose (B) 15 m/s"; the text where it says no so."""
    found = _CHOSEN.match(text)
    return text[found.end() :] if found else text


def options(text: str) -> tuple[str, str]:
    """The letters of the options that an answer names, in its order, and the text behind a single one.

    >>> [options(t) for t in ("(B)", "B) 12", "A and C", "CA", "A or B", "12")]
    [('B', ''), ('B', '12'), ('AC', ''), ('CA', ''), ('', ''), ('', '')]
    """
    text = chosen(text)
    left, rejected = _without_rejected(text)
    if rejected:
        rest = options(left)
        return rest if not rejected & set(rest[0]) else ("", "")
    for pattern in (_LETTER, _NAMED, _CORRECT):
        if found := pattern.fullmatch(text):
            return found[1].upper(), ""
    if _TOGETHER.fullmatch(text) and len(set(text)) == len(text):
        return text, ""
    if _SEVERAL.fullmatch(text):
        letters = re.findall(r"(?<![A-Za-z])[A-Ja-j](?![A-Za-z])", text)
        if len(set(letters)) == len(letters) and (len({letter.isupper() for letter in letters}) == 1):
            return "".join(letters).upper(), ""
    if (found := _WITH_TEXT.fullmatch(text)) and not _ELSE.match(found[4]):
        letter = found[1] or found[2] or found[3]
        if found[1] or found[3] or letter.isupper():
            return letter.upper(), found[4].strip()
    if (found := _STATED.fullmatch(text)) and not re.search(
        r"\b(?:not|or|nor|either|wrong|could|might|may|maybe|perhaps|possibly|if)\b|n't\b", text
    ):
        return found[1], ""
    return "", ""


def _without_rejected(text: str) -> tuple[str, set[str]]:
    """A text without the options that it begins by calling wrong, and those: "A is wrong. B is right."."""
    rejected: set[str] = set()
    for _ in range(_ROUNDS):
        if (found := _REJECTED.match(text)) is None:
            break
        rejected |= set(re.findall(r"(?<![A-Za-z])[A-J](?![A-Za-z])", found[0]))
        text = text[found.end() :]
    return text, rejected


def offered(letters: str, count: int) -> bool:
    """Whether these are letters, and among those of so many options; 0: it is not known how many there are."""
    return bool(letters) and max(letters) <= (chr(ord("A") + count - 1) if count else "Z")


def same_options(reference: str, answer: str) -> bool:
    """Whether two name the same options. Three and more that are not in the alphabet's order are an order."""
    if len(reference) > 2 and list(reference) != sorted(reference):
        return reference == answer
    return sorted(reference) == sorted(answer)
