"""A request's cap beside its prompt: no longer than what the model's context leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pdr_dspy.endpoint.log import CallLog
from pdr_dspy.endpoint.requests import clamped, may_overflow
from pdr_dspy.endpoint.tokenizer import ServerEncoder
from pdr_dspy.errors import ContextOverflow, ServerFailure


class Fitting:
    """Clamps caps.

    Args:
        context: The model's length in tokens; None where nobody says, and then caps are left alone.
        counter: Counts a prompt's tokens, its chat template applied; None leaves caps alone, too.
        warn: Told where a prompt can't be counted.
    """

    def __init__(self, context: int | None, counter: ServerEncoder | None, warn: Callable[[str], None]) -> None:
        self._context = context
        self._counter = counter
        self._warn = warn

    async def fitted(self, body: dict[str, Any], log: CallLog) -> dict[str, Any]:
        """The body with a cap that fits beside its prompt.

        Raises:
            ContextOverflow: the prompt leaves no room.
        """
        if self._context is None or self._counter is None or not may_overflow(body, self._context):
            return body
        try:
            prompt = await asyncio.to_thread(self._counter.count_chat, body)
        except ServerFailure as error:
            self._warn(f"{error}: caps are sent unclamped")
            return body
        cap = clamped(body.get("max_tokens"), prompt, self._context)
        if cap is not None and cap <= 0:
            problem = ContextOverflow(f"a prompt of {prompt} tokens in a context of {self._context}")
            log.attempt(problem.kind, detail=str(problem))
            raise problem
        return body if cap is None else {**body, "max_tokens": cap}
