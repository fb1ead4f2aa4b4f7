"""What an answer took, counted here where the server does not say it or says what can't be.

No answer has more tokens than were asked for, or than the model's context holds, and none that says something has none.
What is counted here is marked in the answer's own `usage`, beside what the server had said, so that it stays an
estimate wherever the answer is kept, replayed or continued.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pdr_dspy.endpoint.booking import fewest
from pdr_dspy.endpoint.completion import INSTEAD, usage_of, written_text
from pdr_dspy.endpoint.fitting import Fitting
from pdr_dspy.endpoint.store import StoredCompletion
from pdr_dspy.errors import ServerFailure
from pdr_dspy.workspace import ByteTokenizer, Tokenizer

_MOST = 2**31  # tokens: no context is longer
_WHY = (
    "an answer's usage is missing, or is more than was asked for or less than was written: the tokens of such answers "
    "are counted here, an estimate"
)


class Counted:
    """Believes a server's usage, or counts.

    Args:
        context: The model's length in tokens; None where nobody says.
        tokenizer: The model's, or an upper bound.
        fitting: Counts prompts.
        warn: Told that a server's usage is missing or not believed.
    """

    def __init__(
        self, context: int | None, tokenizer: Tokenizer, fitting: Fitting, warn: Callable[[str], None]
    ) -> None:
        self._context = context or _MOST
        self._tokenizer = tokenizer
        self._fitting = fitting
        self._warn = warn

    async def counted(self, completion: StoredCompletion, request: Mapping[str, Any]) -> StoredCompletion:
        """The completion, its usage estimated where it is missing or false.

        Args:
            completion: A checked answer.
            request: What was asked, or the first part of it; it has the prompt.
        """
        usage = usage_of(completion.body)
        if usage.estimated:
            return completion
        text = written_text(completion.body)
        asked = min(completion.max_tokens or self._context, self._context) * len(completion.body["choices"])
        said_prompt = 0 < usage.prompt <= self._context and (usage.cached or 0) <= usage.prompt
        said_written = usage.completion > 0 or (usage.reported and not text.strip())
        said_written &= usage.completion <= asked and (usage.thinking or 0) <= usage.completion
        if said_prompt and said_written:
            return completion
        self._warn(_WHY)
        prompt, written = usage.prompt, usage.completion
        if not said_prompt:
            prompt = min(await self._fitting.prompt_tokens(request), self._context)
        if not said_written:
            written, exact = await self._written(text)
            # Counted bytes are a wide bound: what was said may be a narrower one, and so is what was asked for, but for
            # a text that is too long for it.
            if usage.completion > asked:
                written = min(written, usage.completion)
            elif not exact and fewest(text) <= asked:
                written = min(written, asked)
        counted = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
        said = completion.body.get("usage")
        return replace(completion, body={**completion.body, "usage": {**counted, INSTEAD: said}})

    async def _written(self, text: str) -> tuple[int, bool]:
        """Tokens of a text, and whether they are the model's own."""
        try:
            counted = await asyncio.to_thread(self._tokenizer.count, text)
            return counted, not isinstance(self._tokenizer, ByteTokenizer)
        except ServerFailure:
            return ByteTokenizer().count(text), False
