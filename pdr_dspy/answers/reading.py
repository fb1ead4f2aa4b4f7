"""An answer, read once: `read(text)` gives the bare text and what it is. Pure; linear in the text.

Graders, votes and formats read through here, so that what one of them takes for an answer the others do too.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pdr_dspy.answers.blanks import shortened_runs
from pdr_dspy.answers.choices import options
from pdr_dspy.answers.classify import classify
from pdr_dspy.answers.marked import LONGEST
from pdr_dspy.answers.nodes import Node, Reading, Words
from pdr_dspy.answers.prose import only_part, words_in
from pdr_dspy.answers.surface import surface

_PAIRED = re.compile(r"\$\$?([^$]{1,400}?)\$\$?")


@lru_cache(maxsize=2048)
def _read(text: str) -> Reading:
    part = surface(shortened_runs(text))
    if len(part) > LONGEST:
        return Reading(part, Words(part.casefold()))
    letters, option = options(part)
    sentence = only_part(part) if " " in part and words_in(part) else None
    bare = undelimited(part)
    node = classify(bare)
    if not letters:
        letters, option = options(bare)
    held: Node | None = classify(undelimited(sentence)) if sentence is not None else None
    return Reading(bare, node, letters, option, held)


def read(text: str) -> Reading:
    """What a text says as an answer.

    Takes off what models put around one (markdown, dollar signs, boxes, tags, "The answer is", end tokens, an
    explanation behind it), brings characters and LaTeX to one spelling, and says what is left: a number with its unit,
    an expression, several parts, an interval, an option's letter, words.

    >>> [read(t).text for t in (r"$\\\\boxed{12}$", "**12**.", "The answer is 12", "12 (since 3*4 = 12)")]
    ['12', '12', '12', '12']
    """
    # Long texts are not worth the room in the cache.
    return _read(text) if len(text) <= 2 * LONGEST else _read.__wrapped__(text)


def undelimited(text: str) -> str:
    """Without the dollar signs around mathematics; those of money stay, as `USD`."""
    text = re.sub(r"\\[()]|(?<!\\)\\[\[\]]", " ", text).strip()
    if "$" not in text:
        return text
    if text.count("$") % 2 == 0:
        spans = _PAIRED.findall(text)
        if spans and not any(_money_between(span) for span in spans):
            return text.replace("$", "")
    text = re.sub(r"\$ ?(?=\.?[0-9])", "USD ", text)
    return text.replace("$", "")


def _money_between(span: str) -> bool:
    """Whether what stands between two dollar signs is rather the text between two sums of money."""
    return re.match(r"[0-9]", span) is not None and (span.endswith(" ") or bool(words_in(span)))
