"""From a round's drafts to the next round's workspaces: the paper's distillers (its section 3, figure 2b).

Each distiller gives one workspace for every draft of the next round (all the same where the workspace is shared),
rebuilt from this round's drafts alone, bounded by kappa. Calls go through `HelperCalls`: nothing here knows of DSPy.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Protocol

from pdr_dspy.errors import Unparseable
from pdr_dspy.modules.records import Draft
from pdr_dspy.modules.signatures import render_draft
from pdr_dspy.quoting import quoted
from pdr_dspy.workflow import Analysis, Answers, Previous, Random, Summary, Top
from pdr_dspy.workspace import (
    Tokenizer,
    answers_workspace,
    drafts_workspace,
    previous_workspace,
    summary_workspace,
)


class HelperCalls(Protocol):
    """What a distiller may ask for."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The served model's tokenizer."""
        ...

    async def distill(self, drafts: Sequence[str], limit: int) -> str:
        """One summary of the drafts (text as the model wrote it)."""
        ...

    async def pick(self, drafts: Sequence[str], count: int, index: int) -> list[int]:
        """Places (from 0) of the `count` best drafts; `index` tells parallel picks apart."""
        ...

    async def analyse(self, draft: str) -> str:
        """What is wrong with a draft."""
        ...

    async def together(self, work: Sequence[Any]) -> list[Any]:
        """Run calls in parallel; None in the place of one that failed (the run has noted why)."""
        ...

    def random(self, index: int) -> random.Random:
        """A generator of this round's own, the same in every replay."""
        ...


class Distiller(Protocol):
    """Makes the next round's workspaces."""

    async def __call__(self, drafts: Sequence[Draft], width: int, calls: HelperCalls) -> list[str | None]:
        """One workspace for each of the next round's `width` drafts; None where a branch's own pick failed."""
        ...


def text_of(draft: Draft) -> str:
    """A draft as text, as other calls may read it: written solution and output fields."""
    return quoted(render_draft(draft.outputs, draft.solution))


async def summary(spec: Summary, drafts: Sequence[Draft], width: int, calls: HelperCalls) -> list[str | None]:
    """Global summary: one call, one shared workspace."""
    text = await calls.distill([text_of(d) for d in drafts], spec.tokens)
    workspace = await asyncio.to_thread(summary_workspace, text, spec.tokens, calls.tokenizer)
    return [workspace] * width


async def top(spec: Top, drafts: Sequence[Draft], width: int, calls: HelperCalls) -> list[str | None]:
    """Extractive top-k, shared by all next drafts or picked for each."""
    texts = [text_of(d) for d in drafts]

    async def workspace(index: int) -> str:
        # k or fewer drafts leave nothing to pick.
        chosen = list(range(len(texts))) if len(texts) <= spec.k else await calls.pick(texts, spec.k, index)
        return await asyncio.to_thread(drafts_workspace, [texts[i] for i in chosen], spec.tokens, calls.tokenizer)

    if spec.shared:
        return [await workspace(0)] * width
    return list(await calls.together([workspace(i) for i in range(width)]))


async def random_k(spec: Random, drafts: Sequence[Draft], width: int, calls: HelperCalls) -> list[str | None]:
    """Random-k: each next draft reads k drafts of its own draw."""
    texts = [text_of(d) for d in drafts]

    def build() -> list[str | None]:
        draws = [calls.random(i).sample(texts, min(spec.k, len(texts))) for i in range(width)]
        return [drafts_workspace(draw, spec.tokens, calls.tokenizer) for draw in draws]

    return await asyncio.to_thread(build)


async def answers(spec: Answers, drafts: Sequence[Draft], width: int, calls: HelperCalls) -> list[str | None]:
    """The drafts' answers alone, shared."""
    texts = [render_draft(d.outputs, "") for d in drafts]
    return [await asyncio.to_thread(answers_workspace, texts, spec.tokens, calls.tokenizer)] * width


async def previous(spec: Previous, drafts: Sequence[Draft], width: int, calls: HelperCalls) -> list[str | None]:
    """Sequential Refinement: the previous draft."""
    text = text_of(drafts[0])
    return [await asyncio.to_thread(previous_workspace, text, None, spec.tokens, calls.tokenizer)] * width


async def analysis(spec: Analysis, drafts: Sequence[Draft], width: int, calls: HelperCalls) -> list[str | None]:
    """Sequential Refinement with error analysis: the previous draft and its flaws."""
    text = text_of(drafts[0])
    flaws = await calls.analyse(text)
    return [await asyncio.to_thread(previous_workspace, text, flaws, spec.tokens, calls.tokenizer)] * width


def distiller(spec: Summary | Top | Random | Answers | Previous | Analysis) -> Distiller:
    """The distiller a round declares."""

    async def make(drafts: Sequence[Draft], width: int, calls: HelperCalls) -> list[str | None]:
        match spec:
            case Summary():
                return await summary(spec, drafts, width, calls)
            case Top():
                return await top(spec, drafts, width, calls)
            case Random():
                return await random_k(spec, drafts, width, calls)
            case Answers():
                return await answers(spec, drafts, width, calls)
            case Previous():
                return await previous(spec, drafts, width, calls)
            case Analysis():
                return await analysis(spec, drafts, width, calls)

    return make


def valid_picks(picks: Sequence[int], drafts: int, count: int) -> list[int]:
    """Places (from 0) of the first `count` valid, distinct picks (numbers from 1).

    Raises:
        Unparseable: not one number names a draft.
    """
    places = [p - 1 for p in dict.fromkeys(picks) if 1 <= p <= drafts][:count]
    if not places:
        raise Unparseable(f"picked {list(picks)} of {drafts} drafts", ", ".join(map(str, picks)))
    return places
