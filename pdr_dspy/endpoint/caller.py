"""One call from request to answer: store, one flight a key, the way its cap on thinking is kept, verdict.

Lives on the library's event loop. Every attempt is recorded; whatever goes wrong leaves as a `CallError`, or as an
`EndpointError` where no other call could succeed either.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dspy.lm15 import Request, Response

from pdr_dspy.calls import current_tag
from pdr_dspy.endpoint.allowance import Allowance
from pdr_dspy.endpoint.attempts import Attempts
from pdr_dspy.endpoint.capped import Answered, Capped
from pdr_dspy.endpoint.chat_body import checked
from pdr_dspy.endpoint.completion import finish_of, response_of, thought_in, verdict
from pdr_dspy.endpoint.continuation import continuable
from pdr_dspy.endpoint.counted import Counted
from pdr_dspy.endpoint.fitting import Fitting
from pdr_dspy.endpoint.flights import Flights
from pdr_dspy.endpoint.log import CallLog
from pdr_dspy.endpoint.preflight import Identity
from pdr_dspy.endpoint.probe import Probe
from pdr_dspy.endpoint.requests import EXTRAS, SCHEMA_FIELD, THINKING_FIELD, Extras, store_key, wire_body
from pdr_dspy.endpoint.retry import Failure
from pdr_dspy.endpoint.server_tokens import ServerEncoder
from pdr_dspy.endpoint.settings import EndpointSettings
from pdr_dspy.endpoint.stats import Tally
from pdr_dspy.endpoint.store import Store, StoredCompletion
from pdr_dspy.endpoint.thinking import ThinkingWay, Way, told_not_to
from pdr_dspy.endpoint.transport import Transport
from pdr_dspy.errors import DiskError, TimedOut
from pdr_dspy.workspace import Tokenizer

logger = logging.getLogger(__name__)


class _FieldRefused(Exception):
    """The server does not take a field: ask again without it."""


class Caller:
    """Answers calls to one endpoint.

    Attributes:
        way: How the cap on thinking is kept, as far as it is known.
        probe: Finds out more about it.
        limiter, replicas: The gate before the server, and the addresses behind it.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        identity: Identity,
        transport: Transport,
        tokenizer: Tokenizer,
        counter: ServerEncoder | None,
        store: Store | None,
        tally: Tally,
        allowance: Allowance | None = None,
    ) -> None:
        self.way = ThinkingWay(settings.thinking, self.warn)
        self._identity = identity
        self._store = store
        self._tally = tally
        fitting = Fitting(identity.context, counter, tokenizer, self.warn)
        self._counted = Counted(identity.context, tokenizer, fitting, self.warn)
        attempts = Attempts(settings, transport, self._failed, self._counted, allowance, identity.context)
        self.limiter, self.replicas = attempts.limiter, attempts.replicas
        self._capped = Capped(self.way, attempts, fitting, tokenizer, counter, self.warn)
        self.probe = Probe(identity, self.way, attempts, self._capped.opening, tally, store)
        self._guides = True  # until the server refuses a schema
        self._flights = Flights()
        self._unkept: dict[str, StoredCompletion] = {}  # paid for, but the store could not be written

    async def complete(self, request: Request) -> Response:
        """The answer to a request.

        Raises:
            CallError: no usable answer; the class says why.
            EndpointError: the endpoint as a whole can't be used.
            DiskError: the store can't be written, so that nothing more is paid for.
        """
        tag = current_tag()
        log = CallLog(tag, self._identity.model, self._tally)
        log.asked = request.config.max_tokens or 0
        extras = EXTRAS.get() or Extras()
        candidate = next(extras.drawn)
        log.deadline = asyncio.timeout(tag.timeout)
        try:
            async with log.deadline:
                while True:
                    try:
                        return await self._answer(request, extras, candidate, log)
                    except _FieldRefused:
                        continue
        except TimeoutError:
            if not log.closed:
                log.attempt("timeout", detail="the time limit passed before it was sent")
            raise TimedOut(f"no answer within {tag.timeout} seconds") from None
        except asyncio.CancelledError:
            if not log.closed:
                log.attempt("cutoff", detail="cancelled before it was sent")
            raise

    async def _answer(self, request: Request, extras: Extras, candidate: int, log: CallLog) -> Response:
        body, keyed, way = self._worded(wire_body(request, extras, self._identity), log)
        if self._store is None:
            await self._probed(way)
            return self._deliver(await self._capped.answer(body, way, log), log)
        key = store_key(keyed, self._identity, log.tag, extras, candidate)
        kept = await self._kept(key, body)
        if kept is not None:
            return self._deliver(Answered(kept, kept), log, replayed=True)
        async with self._flights.alone(key):
            # Whoever had the key before may have answered it for us.
            kept = await self._kept(key, body)
            if kept is not None:
                return self._deliver(Answered(kept, kept), log, replayed=True)
            self.keep_rest()
            await self._probed(way)
            answered = await self._capped.answer(body, way, log)
            self._keep(key, answered.whole)
            return self._deliver(answered, log)

    async def _probed(self, way: Way) -> None:
        """Know, before a cap is sent, whether the server takes it. What is in the store needs no server."""
        if way == "server":
            await self.probe.before_a_cap()
            if self.way.way != way:
                raise _FieldRefused

    def _worded(self, plain: dict[str, Any], log: CallLog) -> tuple[dict[str, Any], dict[str, Any], Way]:
        """The request as it is sent first and as its key is made from, and the way its cap on thinking is kept."""
        sent, keyed, way = self._with_cap(plain, log)
        # One key, whether the server takes a schema or not, as with the cap.
        return (sent if self._guides else {k: v for k, v in sent.items() if k != SCHEMA_FIELD}), keyed, way

    def _with_cap(self, plain: dict[str, Any], log: CallLog) -> tuple[dict[str, Any], dict[str, Any], Way]:
        cap, way = log.tag.thinking, self.way.way
        if cap is None or (way == "continue" and not continuable(plain)):
            way = "plain"
        log.thinking = None if way == "plain" else cap
        if way == "plain":
            return plain, plain, way
        plain = {name: value for name, value in plain.items() if name != THINKING_FIELD}
        capped = {**plain, THINKING_FIELD: cap}
        if self.way.setting == "continue":
            return plain, {**plain, "thinking_continued": cap}, way
        # One key, whether the server keeps the cap or not: every process finds that out again.
        return (capped if way == "server" else plain), capped, way

    def _deliver(self, answered: Answered, log: CallLog, *, replayed: bool = False) -> Response:
        response = response_of(answered.whole.body, log.tag.outputs)
        note = answered.note or (self.way.why if log.tag.thinking is not None else "")
        error = verdict(response, finish_of(answered.whole.body), note)
        if told_not_to((EXTRAS.get() or Extras()).fields):
            self._seen(thought_in(response))
        outcome, detail = ("ok", "") if error is None else (error.kind, str(error))
        log.answered(answered.unrecorded, outcome, detail, replayed=replayed)
        if error is not None:
            raise error
        return response

    async def _kept(self, key: str, request: Mapping[str, Any]) -> StoredCompletion | None:
        """What the store holds of a call; what can't be read of it is put aside."""
        assert self._store is not None
        while (kept := self._store.get(key)) is not None:
            try:
                body = checked(kept.body)
                response_of(body)
            except Exception as error:  # whatever it does to who reads it, it must not do so for ever
                self.warn(f"an answer in the store can't be read ({error}): it is put aside and asked for again")
                self._store.reject(key, f"{type(error).__name__}: {error}")
                continue
            return await self._counted.counted(replace(kept, body=body), request)
        return None

    def _seen(self, thought: bool) -> None:
        if thought and not self.probe.thinks_always:
            self.warn("the model thinks though it is told not to: calls between the rounds get tokens to think with")
        self.probe.seen(thought)

    def _keep(self, key: str, completion: StoredCompletion) -> None:
        assert self._store is not None
        try:
            self._store.put(key, completion)
        except DiskError as error:  # the answer is paid for: use it, but pay for no other before it is kept
            self._unkept[key] = completion
            self.warn(str(error))

    def keep_rest(self) -> None:
        """Keep what could not be kept before.

        Raises:
            DiskError: it still can't.
        """
        for key in tuple(self._unkept):
            assert self._store is not None
            self._store.put(key, self._unkept[key])
            del self._unkept[key]

    def _failed(self, body: Mapping[str, Any], failure: Failure, log: CallLog) -> None:
        # Without a cap of ours the field is the caller's own, and so is its refusal.
        if failure.refuses_thinking and THINKING_FIELD in body and log.thinking is not None:
            self.way.refused(failure.detail)
            raise _FieldRefused
        if failure.refuses_schema and SCHEMA_FIELD in body:
            self._guides = False
            self.warn(f"the server refuses {SCHEMA_FIELD} ({failure.detail}): answers are not guided by their schema")
            raise _FieldRefused

    def warn(self, text: str) -> None:
        """Note a warning in the stats and, the first time, in the log."""
        if self._tally.warn(text):
            logger.warning("%s", text)
