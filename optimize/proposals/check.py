"""Whether a proposed instruction may join the search. Pure functions of text.

Refused are: nothing at all, control characters, a text longer than its share of the model's context, a copy of one
that is there already, and one that gives away a reference answer of the problems it was written from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from unicodedata import category

from pdr_dspy.data import Problem
from pdr_dspy.workflow.prompting import LONGEST
from pdr_dspy.workspace import Tokenizer

MOST = 1024
"""Tokens of a proposal at most, in a context of any length: every call of its stage reads it."""

SHARE = 8
"""A proposal may take the context's eighth part."""

TELLING = 4
"""Characters from which an answer standing in a text is no chance (a 7 or a 12 is)."""

RUN = 12
"""Words of a problem in a row that show that a text repeats it."""


def longest(context: int | None) -> int:
    """Tokens a proposal may have, for a model of this length."""
    return MOST if context is None else min(MOST, context // SHARE)


def objection(text: str, *, taken: Mapping[str, str], limit: int, tokenizer: Tokenizer) -> str | None:
    """Why a text can't be an instruction, whatever the problems; None if it can.

    Args:
        text: The proposal.
        taken: The stage's instructions so far, by id.
        limit: Tokens it may have.
        tokenizer: Of the model that will read it.
    """
    if not text.strip():
        return "it is empty"
    if any(category(c) == "Cc" and c not in "\n\r\t" for c in text):
        return "it has control characters"
    same = next((name for name, other in taken.items() if _plain(other) == _plain(text)), None)
    if same is not None:
        return f"it is a copy of {same}"
    # Counting tokens may be a request: not for what is out of all proportion.
    if len(text) > LONGEST:
        return f"{len(text):,} characters, more than {LONGEST:,}"
    tokens = tokenizer.count(text)
    return f"{tokens:,} tokens, more than {limit:,}" if tokens > limit else None


def leak(text: str, problems: Sequence[Problem], said: str) -> str | None:
    """Which problem's reference answer a text gives away; None if it gives none away.

    An answer counts as given away where it stands in the text whole and has at least `TELLING` characters, and a
    shorter one where `RUN` words in a row of its problem do so, too. Answers that several problems share are labels
    (`positive`), and what the user's own instruction says is known: both may be said.

    Args:
        text: The proposal.
        problems: What it was written from.
        said: The user's instruction and field descriptions.
    """
    shared = Counter(_plain(p.answer) for p in problems if p.answer)
    words, known = _plain(text), _plain(said)
    for problem in problems:
        answer = _plain(problem.answer or "")
        if not answer or shared[answer] > 1 or _stands(answer, known) or not _stands(answer, words):
            continue
        if len(answer) >= TELLING or _repeats(words, problem.inputs.values()):
            return f"it gives away the answer of the problem {problem.id}"
    return None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _stands(part: str, whole: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(part)}(?!\w)", whole) is not None


def _repeats(text: str, inputs: Collection[str]) -> bool:
    for value in inputs:
        words = _plain(str(value)).split()
        if any(" ".join(words[i : i + RUN]) in text for i in range(max(0, len(words) - RUN) + 1) if words):
            return True
    return False
