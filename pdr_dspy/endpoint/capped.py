"""One call whose thinking keeps to its cap and still leaves an answer, whichever way the server goes along with.

The server's own cap is sent and checked against what comes back; else the thinking is stopped, closed and continued by
a second request. Both requests are on record, each with what it took, as two parts of one call.

What a call may generate stays within its `max_tokens`, with one exception: a call that finds out that the server
ignores the cap has spent it all on thinking, and its answer comes on top (the problem's `total` is asked before).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pdr_dspy.endpoint.attempts import Attempts
from pdr_dspy.endpoint.completion import CLOSE, OPEN, finish_of, usage_of
from pdr_dspy.endpoint.continuation import (
    MARGIN,
    MARKS,
    PartialAnswer,
    continuable,
    continued,
    cut_back,
    first_cap,
    joined,
    left_out,
    partial_answer,
    second_prompt,
    spellings,
    still_thinking,
    thought,
)
from pdr_dspy.endpoint.fitting import Fitting
from pdr_dspy.endpoint.log import CallLog
from pdr_dspy.endpoint.retry import Failure
from pdr_dspy.endpoint.server_tokens import ServerEncoder
from pdr_dspy.endpoint.store import StoredCompletion
from pdr_dspy.endpoint.thinking import ThinkingWay, Way
from pdr_dspy.errors import BudgetExhausted, EndpointError, ServerFailure, Truncated
from pdr_dspy.workspace import Tokenizer


@dataclass(frozen=True, slots=True)
class Answered:
    """A call's whole completion.

    Attributes:
        whole: What is delivered and kept.
        unrecorded: What of it is not in the ledger yet: all of it, or its second part.
        note: Why nothing more could be done about a thinking that reached its cap, or "".
    """

    whole: StoredCompletion
    unrecorded: StoredCompletion
    note: str = ""


class Capped:
    """Answers calls to one endpoint.

    Args:
        way: How the cap is kept, as far as it is known.
        attempts: Sends requests.
        fitting: Clamps them.
        tokenizer: The model's, or an upper bound.
        counter: The server's tokenizer, where it has one; then `tokenizer` is the model's.
        warn: Told what is worked around.
    """

    def __init__(
        self,
        way: ThinkingWay,
        attempts: Attempts,
        fitting: Fitting,
        tokenizer: Tokenizer,
        counter: ServerEncoder | None,
        warn: Callable[[str], None],
    ) -> None:
        self._way = way
        self._attempts = attempts
        self._fitting = fitting
        self._tokenizer = tokenizer
        self._counter = counter
        self._warn = warn
        self._openings: dict[str, str | None] = {}
        self._on_lines = False  # the spelling that was taken last

    async def answer(self, body: dict[str, Any], way: Way, log: CallLog) -> Answered:
        """The completion of a call.

        Args:
            body: The request, with the cap on thinking where the server is to keep it.
            way: How the cap is kept.
            log: The call's log; it knows the cap.

        Raises:
            CallError: no completion, or a thinking that reached its cap and could not be continued.
            EndpointError: the endpoint can't be used, or ignores a cap that the user insists on.
        """
        body = await self._fitting.fitted(body, log)
        if log.thinking is None or way == "plain":
            return self._whole(await self._attempts.sent(body, log))
        if way == "server":
            return await self._checked(body, log.thinking, log)
        total = body.get("max_tokens")
        stop = first_cap(log.thinking, log.tag.answer, total)
        first = await self._attempts.sent({**body, "max_tokens": stop}, log)
        if finish_of(first.body) != "length" or (total is not None and total <= stop):
            return self._whole(first)
        left = None if total is None else total - (usage_of(first.body).completion or stop)
        partial = partial_answer(first.body, await self.opening(body))
        return await self._continue(first, partial, body, left, log, usage_of(first.body).completion)

    async def _checked(self, body: dict[str, Any], cap: int, log: CallLog) -> Answered:
        """The server's own cap, and what to do where it was not kept."""
        first = await self._attempts.sent(body, log)
        if usage_of(first.body).completion <= cap + MARKS:
            return self._whole(first)
        opening = await self.opening(body)
        used = await self._overrun(first, cap, opening)
        if used is None:
            return self._whole(first)
        try:
            self._way.ignored(used, cap)
        except EndpointError:
            log.answered(first, "endpoint", "the server ignored the cap on thinking")
            raise
        if self._way.way != "continue" or not (still_thinking(first.body, opening) and continuable(body)):
            return self._whole(first)
        # Back to where it should have been stopped: the answer is to see no more than the cap allows.
        partial = partial_answer(first.body, opening)
        partial = await asyncio.to_thread(cut_back, partial, cap, used, self._tokenizer, self._counter is not None)
        total = body.get("max_tokens")
        left = log.tag.answer or (None if total is None else max(1, total - cap))
        return await self._continue(first, partial, body, left, log, cap)

    async def _continue(
        self,
        first: StoredCompletion,
        partial: PartialAnswer,
        body: Mapping[str, Any],
        left: int | None,
        log: CallLog,
        kept: int,
    ) -> Answered:
        """The second request, and both as one; `kept` is the length of the text it continues, in tokens."""
        if await self._has_other_marks(partial):
            # Not kept: with all of its cap for one request, the call may come to an answer.
            raise self._given_up(first, log, "the model does not write its thinking between <think> and </think>")
        log.answered(first, "ok")
        log.next_part()
        self._ask_for_more(first, left, log, kept)
        text, second = await self._second(first, partial, body, left, log)
        if isinstance(second, Failure):
            if second.kind != "request":
                raise second.error()
            raise self._given_up(first, None, f"the server refuses it ({second.detail})")
        if left_out(first, second, kept):
            raise self._given_up(second, log, "the model's chat template leaves the thinking out of the message")
        self._way.continued()
        note = "no thinking mark was seen" if partial.thinking == "unmarked" else ""
        return Answered(joined(first, second, text), second, note)

    def _given_up(self, last: StoredCompletion, log: CallLog | None, why: str) -> Truncated:
        """The error where a thinking can't be continued; `last` is recorded where a log is given."""
        self._way.not_continued(why)
        error = Truncated(f"the cap was reached after {usage_of(last.body).completion} tokens, and no answer: {why}")
        if log is not None:
            log.answered(last, error.kind, str(error))
        return error

    async def _second(
        self, first: StoredCompletion, partial: PartialAnswer, body: Mapping[str, Any], left: int | None, log: CallLog
    ) -> tuple[str, StoredCompletion | Failure]:
        own, *lines = spellings(partial)
        texts = [*lines, own] if self._on_lines else [own, *lines]
        for text in texts:
            request = await self._fitting.fitted(continued(body, text, left), log)
            # Where the first one went: the prompt is in that replica's cache.
            result = await self._attempts.tried(request, log, first.replica)
            if not (isinstance(result, Failure) and result.kind == "request"):
                self._on_lines = text != own if lines else self._on_lines
                break
        return text, result

    @staticmethod
    def _ask_for_more(first: StoredCompletion, left: int | None, log: CallLog, kept: int) -> None:
        if log.tag.more is None:
            return
        usage = usage_of(first.body)
        beyond = max(0, usage.completion + (left or 0) - log.asked)
        try:
            log.tag.more(second_prompt(usage.prompt, kept) + beyond)
        except BudgetExhausted as error:
            log.attempt(error.kind, detail=f"no second request: {error}")
            raise

    async def _overrun(self, completion: StoredCompletion, cap: int, opening: str | None) -> int | None:
        """Tokens of a thinking that went beyond its cap; None where the cap was kept."""
        generated = usage_of(completion.body).completion
        if still_thinking(completion.body, opening):
            return generated
        if generated <= cap + MARGIN:
            return None
        used = await asyncio.to_thread(thought, completion.body, self._tokenizer)
        return used if used > cap + MARGIN else None

    async def opening(self, body: Mapping[str, Any]) -> str | None:
        """What the chat template opens the thinking with at the end of a prompt, or None; asked once."""
        if self._counter is None:
            return None
        question = {k: body[k] for k in ("chat_template", "chat_template_kwargs") if k in body}
        question["messages"] = [{"role": "user", "content": "1"}]
        known = json.dumps(question, sort_keys=True, default=str)
        if known not in self._openings:
            try:
                end = await asyncio.to_thread(self._counter.chat_end, question)
            except ServerFailure as error:
                self._warn(f"{error}: the chat template is taken not to open the thinking")
                end = ""
            self._openings[known] = end[end.rindex(OPEN) :] if end.rstrip().endswith(OPEN) else None
        return self._openings[known]

    async def _has_other_marks(self, partial: PartialAnswer) -> bool:
        """Whether a thinking that the server's parser separated was surely not between the marks we know.

        A model that has them has each as one token.
        """
        if not partial.restored or partial.thinking != "open" or self._counter is None:
            return False
        return await asyncio.to_thread(self._tokenizer.count, CLOSE) != 1

    @staticmethod
    def _whole(completion: StoredCompletion) -> Answered:
        return Answered(completion, completion)
