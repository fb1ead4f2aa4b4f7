"""What models say around an answer: refusals, politeness, copies of a placeholder, "the answer is". Linear; pure."""

from __future__ import annotations

import re

_CURLY = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00a0": " "})
_SHORT = 400
"""Characters of a refusal at most; a longer text that begins like one goes on to something."""

_REFUSAL = re.compile(
    r"(?:(?:I'm|I am|we're|we are) (?:very |really |so |truly )?sorry|sorry\b|apologies|(?:I|we) apologi[sz]e"
    r"|(?:unfortunately, )?(?:I|we) (?:can ?not|can't|could not|couldn't|won't|will not|refuse)\b"
    r"|(?:unfortunately, )?(?:I|we) (?:do not|don't) (?:know|have)\b"
    r"|(?:I'm|I am|we are) (?:unable|not able|afraid|not sure)\b|as (?:an? )?(?:AI|(?:large )?language model)\b"
    r"|this (?:request|question) (?:violates|is against)|es tut mir leid|lo siento|je suis d\u00e9sol\u00e9)",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"[`*\"']*(?:(?:final )?answer:\s*)?(?:\.{2,}|\u2026|\{\w+\}|[<\[(](?:(?:your|the|final|an?|only|insert|write) ?)*"
    r"(?:answer|value|result|number|text|integer)(?: (?:here|alone|goes here))*[>\])])[`*\"']*\.?",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"(?:I )?hope (?:this|that|it)\b|(?:please )?let me know\b|feel free\b|if you (?:have|need|want|'d like)\b"
    r"|thank|is there anything\b|good luck\b|have a (?:nice|great|good)\b|happy to help\b",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"(?<!what the )(?<!whether the )(?<!if the )(?<!find the )\b(?:answer|result)\b"
    # `The answer to "What is 2 + 3?" is 5`: the `is` of a question that is quoted, or asked again, is passed over.
    r"(?:\s+(?:to|of|for|in)\b(?:[^.\n:=\"\u201c]{0,60}[\"\u201c][^\"\u201d\n]{1,200}[\"\u201d]"
    r"|[^?.\n]{1,200}\?[\"\u201d*]*(?=\s)|[^.\n:=]{0,80}?))?\s*"
    r"(?:\b(?:is|are|was|equals|would be|should be|must be)|=|:)(?=[\s*:$\\`])\s*(?:\*\*(?=\s))?[\s:]*"
    r"(?:(?:indeed|therefore|thus|hence|simply|then|clearly|actually)\s+(?=\S))?",
    re.IGNORECASE,
)
_CHECK = r"(?:indeed |also |clearly |therefore |thus )?(?:correct|verified|confirmed|consistent|reasonable|plausible)\b"
_CHECKED = re.compile(rf"{_CHECK}[^.!\n]{{0,60}}[.!*]*\s*(?:\n|\Z)", re.IGNORECASE)
_CHECKS = re.compile(
    r"(?:(?:so|thus|therefore|hence)\b,? ?)?(?:the|this|that|our|my) (?:final )?(?:answer|result|solution) (?:is|was) "
    + _CHECK,
    re.IGNORECASE,
)
_END = re.compile(r"[.!?](?=\s|\Z)")
_ABBREVIATED = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|No|approx|Mt|Jr|Sr)|(?:\b[A-Za-z]))\Z")


def refuses(text: str) -> bool:
    """Whether a text says no more than that there is no answer."""
    said = text.strip().translate(_CURLY)
    return len(said) <= _SHORT and _REFUSAL.match(said) is not None


def is_placeholder(text: str) -> bool:
    """Whether a value is a copy of what stands for it in a prompt: `...`, `<answer>`, `{answer}`, `[your answer]`."""
    return _PLACEHOLDER.fullmatch(text.strip()) is not None


def is_polite(line: str) -> bool:
    """Whether a line says nothing of the matter: "I hope this helps!"."""
    return _POLITE.match(line.strip(" *_")) is not None


def is_check(line: str) -> bool:
    """Whether a line says of an answer that it is right, and not what it is: "So the answer is correct."."""
    return _CHECKS.match(line.strip(" *_")) is not None


def told(text: str, *, checks: bool = False) -> str | None:
    """What stands behind the last "the answer is", up to the end of the text; None where nobody says so.

    Args:
        text: Where it is looked for.
        checks: Whether "the answer is correct" says what it is.
    """
    last = None
    for found in _TOLD.finditer(text):
        checked = not checks and ":" not in found[0] and "=" not in found[0] and _CHECKED.match(text, found.end())
        last = last if checked else found.end()
    return None if last is None else text[last:]


def first_sentence(text: str) -> str:
    """A text up to the point that ends its first sentence (`Dr. Smith` and `3.5` have none)."""
    for end in _END.finditer(text):
        if not _ABBREVIATED.search(text[max(0, end.start() - 8) : end.start()]):
            return text[: end.start()]
    return text
