"""One tiny request that tells how a server deals with thinking, before many requests find it out by failing.

It says whether the server takes a cap on thinking, and whether the model thinks though it is told not to. It is sent
when somebody first needs to know, once for everybody who waits for it. If it fails nothing is learnt, and calls go on
as they would have without it. Lives on the library's event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint.attempts import Attempts
from pdr_dspy.endpoint.chat_body import MalformedBody, checked
from pdr_dspy.endpoint.completion import finish_of, usage_of
from pdr_dspy.endpoint.log import CallLog
from pdr_dspy.endpoint.preflight import Identity
from pdr_dspy.endpoint.requests import THINKING_FIELD
from pdr_dspy.endpoint.retry import Failure
from pdr_dspy.endpoint.stats import Tally
from pdr_dspy.endpoint.store import Store
from pdr_dspy.endpoint.thinking import ThinkingWay
from pdr_dspy.errors import DiskError, EndpointError
from pdr_dspy.ledger import PROBE

MESSAGE, TOKENS = "Say: ok", 16
"""What the model is asked, and how many tokens it may answer with."""

_SECONDS = 60.0  # until nothing is learnt
_OPENINGS = (
    "<think", "</think", "[think]", "<seed:think", "<thought", "<reasoning", "<|channel|>analysis", "<|channel>thought",
    "◁think▷", "<|begin_of_thought|>",
)  # fmt: skip

_EMPTY = re.compile(r"\A\s*<think>\s*</think>")


class Probe:
    """What one endpoint's probe says.

    Args:
        identity: The model; where its card says whether it can be told not to think, nobody has to ask.
        way: Told where the server refuses the cap.
        attempts: Sends the request.
        opening: What the chat template opens every thinking with, for a request; None where it does not.
        tally: Counts it.
        store: Where its answer is kept, so that who goes on from there sends nothing; None keeps it nowhere.

    Attributes:
        thinks_always: Whether the model thinks though it is told not to; None: not known yet.
    """

    def __init__(
        self,
        identity: Identity,
        way: ThinkingWay,
        attempts: Attempts,
        opening: Callable[[Mapping[str, Any]], Awaitable[str | None]],
        tally: Tally,
        store: Store | None = None,
    ) -> None:
        switchable = identity.recommended.switchable
        self.thinks_always: bool | None = None if switchable is None else not switchable
        self._model = identity.model
        self._revision = identity.revision
        self._store = store
        self._way = way
        self._attempts = attempts
        self._opening = opening
        self._tally = tally
        self._sending: asyncio.Task[None] | None = None
        self._capped = bool(switchable)  # whether the cap was tried, or need not be
        self._refusal = ""

    def seen(self, thought: bool) -> None:
        """A call that was told not to think has come back; `thought` says whether it had thought."""
        self.thinks_always = bool(self.thinks_always) or thought

    async def before_a_cap(self) -> None:
        """Know whether the server takes a cap on thinking, as far as it can be known.

        Raises:
            EndpointError: it refuses the cap, and the user insists on it.
            SpendExhausted, DiskError: nothing may be sent.
        """
        if not self._capped or self._sending is not None:  # one under way may be about to say so
            await self._sent()
        if self._refusal:
            self._way.refused(self._refusal)

    async def before_a_helper(self) -> bool | None:
        """`thinks_always`, asked for where it is not known yet.

        Raises:
            SpendExhausted, DiskError: nothing may be sent.
        """
        if self.thinks_always is None:
            await self._remembered()
        for _ in range(2):  # a server that refuses the cap has said nothing else
            if self.thinks_always is None:
                await self._sent()
        return self.thinks_always

    async def _sent(self) -> None:
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
            self._sending.add_done_callback(self._ended)
        await asyncio.shield(self._sending)  # whoever stops waiting does not end it for the others

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sending = None
        if not task.cancelled():
            task.exception()  # those who waited have it

    def _body(self, with_cap: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": "user", "content": MESSAGE}],
            "max_tokens": TOKENS,
            "temperature": 0,
            "chat_template_kwargs": {"enable_thinking": False},
        }
        return {**body, THINKING_FIELD: 1} if with_cap else body

    def _key(self, body: Mapping[str, Any]) -> str:
        text = json.dumps({"probe": body, "revision": self._revision}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    async def _remembered(self) -> None:
        """What an earlier probe of the same model was answered."""
        for body in (self._body(True), self._body(False)) if self._store is not None else ():
            kept = self._store.get(self._key(body)) if self._store is not None else None
            if kept is not None:
                with suppress(MalformedBody):
                    await self._read(checked(kept.body), body)
                    return

    async def _read(self, answer: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        if self.thinks_always is None:
            self.thinks_always = thinks(answer, await self._opening(body))

    async def _send(self) -> None:
        body = self._body(with_cap := self._way.way == "server" and not self._capped)
        self._capped = True
        log = CallLog(CallTag(stage=PROBE), self._model, self._tally)
        log.asked = TOKENS
        log.deadline = asyncio.timeout(_SECONDS)
        try:
            async with log.deadline:
                result = await self._attempts.tried(body, log, retries=0)
        except (TimeoutError, EndpointError):
            return
        if isinstance(result, Failure):
            if with_cap and result.refuses_thinking:
                self._refusal = result.detail
            return
        log.answered(result, "ok")
        if self._store is not None:
            with suppress(DiskError):  # the next call says so
                self._store.put(self._key(body), result)
        await self._read(result.body, body)


def thinks(body: Mapping[str, Any], opening: str | None) -> bool:
    """Whether there is a thinking in the answer to a request that asked for none.

    Args:
        body: The answer.
        opening: What the chat template opened the thinking with at the end of the prompt, or None where it did not.
    """
    message = body["choices"][0].get("message") or {}
    text = str(message.get("content") or "")
    if any(str(message.get(name) or "").strip() for name in ("reasoning_content", "reasoning")):
        return True
    text = _EMPTY.sub("", text)  # what a model writes that was told not to think, and does not
    if usage_of(body).thinking or "</think>" in text.partition("<think>")[0]:
        return True
    if text.lstrip().lower().startswith(_OPENINGS):
        return True
    return opening is not None and finish_of(body) == "length"  # it never came to closing it
