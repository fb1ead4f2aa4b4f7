"""What the next round reads where a distiller failed: made of the same drafts, without a call, within the same kappa.

Nothing here decides whether to fall back; that is the run's affair, and the workflow's (`fallback: off`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Literal

from pdr_dspy.errors import CallError, Truncated, Unparseable
from pdr_dspy.modules.distillers import HelperCalls, random_k, text_of
from pdr_dspy.modules.records import Draft
from pdr_dspy.modules.signatures import render_draft
from pdr_dspy.workflow import Analysis, Distill, Random, Summary, Top
from pdr_dspy.workspace import LEAST_PER_DRAFT, answers_workspace, previous_workspace, summary_workspace
from pdr_dspy.written import written

Fallback = Literal["unmarked", "answers", "random", "previous", "vote", "best"]
"""What was used in a failed call's place: the text it wrote, the drafts' answers, drafts drawn at random, the previous
draft alone, the vote over a round, or the best there was when the budget ended."""

_DRAWN = 2
"""Drafts in a workspace that stands in for a summary: the default of the random-k distiller."""

_ANY = 1 << 40

_SENTENCE_END = re.compile(r"[.!?]\s|\n")
_SHORTEST_LOOPS = 30
"""Characters of three rounds of a loop, at least: `1000000` and a row of dots are none."""
_LONGEST_LOOP = 400
"""Characters of what a text may say again and again, at most."""


def left(error: CallError) -> str:
    """What a failed helper call wrote, where that can serve: it wrote, but not in the format, or not to its end.

    Of a text that said the same again and again until it was cut off, that is left once.
    """
    return once(written(error.text)) if isinstance(error, Truncated | Unparseable) else ""


def once(text: str) -> str:
    """A text whose end says the same at least three times in a row, with that said once; others as they are."""
    end = text.rstrip()
    for period in range(2, min(_LONGEST_LOOP, len(end) // 3) + 1):
        if end[-1] == end[-1 - period] and end[-period:] * 2 == end[-3 * period : -period]:
            if 3 * period < _SHORTEST_LOOPS:
                return text
            start = len(end) - 3 * period
            while start and end[start - 1] == end[start - 1 + period]:
                start -= 1
            sentence = _SENTENCE_END.search(end, start + period - 1, start + 2 * period)
            return end[: sentence.end() if sentence else start + period].rstrip()
    return text


async def stand_in(
    spec: Distill, drafts: Sequence[Draft], width: int, calls: HelperCalls, error: CallError
) -> tuple[Fallback, list[str]]:
    """Workspaces in place of those a distiller could not make, and what they are.

    Args:
        spec: The distiller.
        drafts: The drafts it was to read; at least one.
        width: Drafts of the next round.
        calls: The tokenizer and the run's chance.
        error: Why it failed; where its `text` can serve, it is used.
    """
    if isinstance(spec, Summary | Analysis) and (text := left(error)):
        flaws = isinstance(spec, Analysis)
        make = (lambda: _analysed(spec, drafts, text, calls)) if flaws else (lambda: _summed(spec, text, calls))
        if workspace := await asyncio.to_thread(make):
            return "unmarked", [workspace] * width
    match spec:
        case Analysis():
            return "previous", [await asyncio.to_thread(_analysed, spec, drafts, None, calls)] * width
        case Top():
            return "random", await drawn(spec, drafts, width, calls)
        case _:
            if shared := await asyncio.to_thread(_answers, drafts, spec.tokens, calls):
                return "answers", [shared] * width
            return "random", await drawn(spec, drafts, width, calls)


async def drawn(spec: Distill, drafts: Sequence[Draft], width: int, calls: HelperCalls) -> list[str]:
    """Drafts drawn at random for each next draft: as many as the distiller would have picked, or as kappa has room for.

    Args:
        spec: The distiller that failed.
        drafts: At least one.
        width: Drafts of the next round.
        calls: The tokenizer and the run's chance.
    """
    k = spec.k if isinstance(spec, Top | Random) else min(_DRAWN, spec.tokens // LEAST_PER_DRAFT)
    if k:
        made = await random_k(Random(k=k, tokens=spec.tokens), drafts, width, calls)
        return [workspace or "" for workspace in made]
    # Not even the frame of one draft has room in kappa: as much of one as has.
    texts = [calls.random(i).choice([text_of(d) for d in drafts]) for i in range(width)]
    return await asyncio.to_thread(
        lambda: [previous_workspace(text, None, spec.tokens, calls.tokenizer) for text in texts]
    )


def _summed(spec: Distill, text: str, calls: HelperCalls) -> str:
    return summary_workspace(text, spec.tokens, calls.tokenizer)


def _analysed(spec: Distill, drafts: Sequence[Draft], flaws: str | None, calls: HelperCalls) -> str:
    return previous_workspace(text_of(drafts[0]), flaws, spec.tokens, calls.tokenizer)


def _answers(drafts: Sequence[Draft], kappa: int, calls: HelperCalls) -> str:
    """The drafts' answers, all of them whole; "" where kappa has no room for that (half an answer is another one)."""
    workspace = answers_workspace([render_draft(d.outputs, "") for d in drafts], _ANY, calls.tokenizer)
    return workspace if calls.tokenizer.count(workspace) <= kappa else ""
