"""Drafts as a helper call reads them: whole where they fit into the model's context beside the rest, else cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dspy

from pdr_dspy.errors import ContextOverflow
from pdr_dspy.modules.prompt_size import prompt_size
from pdr_dspy.workspace import Tokenizer, bound, render_drafts

_SPARE = 32
"""Tokens kept free of what a text costs more where it stands beside others."""


async def readable(
    drafts: Sequence[str],
    inputs: Callable[[str], Mapping[str, Any]],
    predictor: dspy.Predict,
    signature: type[dspy.Signature],
    *,
    cap: int,
    context: int | None,
    tokenizer: Tokenizer,
) -> Mapping[str, Any]:
    """A helper call's inputs, its drafts fitted into the context.

    Args:
        drafts: Their texts.
        inputs: The call's inputs with the drafts as this text.
        predictor: The stage's predictor; its demos are read, too.
        signature: The signature it is to follow.
        cap: Tokens the call may generate.
        context: The model's length in tokens, or None where nobody says (then drafts stay whole).
        tokenizer: The served model's, or an upper bound.

    Raises:
        ContextOverflow: not even the beginnings of the drafts have room.
    """
    whole = inputs(render_drafts(drafts))
    if context is None:
        return whole

    def fit() -> Mapping[str, Any]:
        # A token is at least a byte: most calls need no counting.
        most = prompt_size(predictor, signature, whole, lambda text: len(text.encode("utf-8", "replace")))
        if most + cap + _SPARE <= context:
            return whole
        room = context - cap - _SPARE - prompt_size(predictor, signature, inputs(""), tokenizer.count)
        if tokenizer.count(render_drafts(drafts)) <= room:
            return whole
        share = _share([tokenizer.count(draft) for draft in drafts], room)
        while share > 0:
            text = render_drafts([bound(draft, share, tokenizer) for draft in drafts])
            over = tokenizer.count(text) - room
            if over <= 0:
                return inputs(text)
            share -= max(1, over // len(drafts))
        raise ContextOverflow(f"{len(drafts)} drafts have {max(0, room)} tokens of room in a context of {context}")

    return await asyncio.to_thread(fit)


def _share(sizes: Sequence[int], room: int) -> int:
    """The largest cap with which texts of these sizes have room: what short ones leave goes to the longer ones."""
    for place, size in enumerate(ordered := sorted(sizes)):
        share = room // (len(ordered) - place)
        if size > share:
            return share
        room -= size
    return max(sizes, default=0)
