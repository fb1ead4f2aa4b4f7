"""A request's cap beside its prompt: no longer than what the model's context leaves.

Where the server counts prompts, that is exact. Else an upper bound is counted; it only ever makes a cap smaller, never
so small that nothing could be said, and whether the prompt fits is left to the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from pdr_dspy.endpoint.log import CallLog
from pdr_dspy.endpoint.requests import OVERHEAD, clamped, may_overflow, prompt_text
from pdr_dspy.endpoint.server_tokens import ServerEncoder
from pdr_dspy.errors import ContextOverflow, ServerFailure
from pdr_dspy.workspace import ByteTokenizer, Tokenizer

_LEAST, _SHARE = 64, 8  # a bound leaves a cap of at least so many tokens, and of the context's eighth


class Fitting:
    """Clamps caps.

    Args:
        context: The model's length in tokens; None where nobody says, and then caps are left alone.
        counter: Counts a prompt's tokens, its chat template applied; None where the server does not.
        tokenizer: The model's, or an upper bound; counts where there is no counter.
        warn: Told where a prompt can't be counted.
    """

    def __init__(
        self, context: int | None, counter: ServerEncoder | None, tokenizer: Tokenizer, warn: Callable[[str], None]
    ) -> None:
        self._context = context
        self._counter = counter
        self._tokenizer = tokenizer
        self._warn = warn

    async def fitted(self, body: dict[str, Any], log: CallLog) -> dict[str, Any]:
        """The body with a cap that fits beside its prompt.

        Raises:
            ContextOverflow: the prompt leaves no room.
        """
        if self._context is None or not may_overflow(body, self._context):
            return body
        asked = body.get("max_tokens")
        if (prompt := await self._counted(body)) is None:
            if asked is None:
                return body
            left = self._context - await self._bound(body)
            return {**body, "max_tokens": max(min(asked, left), min(asked, max(_LEAST, self._context // _SHARE)))}
        cap = clamped(asked, prompt, self._context)
        if cap is not None and cap <= 0:
            problem = ContextOverflow(f"a prompt of {prompt} tokens in a context of {self._context}")
            log.attempt(problem.kind, detail=str(problem))
            raise problem
        return body if cap is None else {**body, "max_tokens": cap}

    async def prompt_tokens(self, body: Mapping[str, Any]) -> int:
        """Tokens of a request's prompt, or an upper bound of them."""
        counted = await self._counted(body)
        return await self._bound(body) if counted is None else counted

    async def _counted(self, body: Mapping[str, Any]) -> int | None:
        if self._counter is None:
            return None
        try:
            return await asyncio.to_thread(self._counter.count_chat, body)
        except ServerFailure as error:
            self._warn(f"{error}: caps are clamped by an upper bound")
            return None

    async def _bound(self, body: Mapping[str, Any]) -> int:
        """Tokens that the prompt has at most, a chat template's own included."""
        text = prompt_text(body)
        try:
            return await asyncio.to_thread(self._tokenizer.count, text) + OVERHEAD
        except ServerFailure:
            return ByteTokenizer().count(text) + OVERHEAD
