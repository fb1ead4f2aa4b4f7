"""One call from request to answer: store, one flight a key, cap, place, replica, attempts, verdict.

Lives on the library's event loop. Every attempt is recorded; whatever goes wrong leaves as a `CallError`, or as an
`EndpointError` where no other call could succeed either.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from typing import Any

from dspy.lm15 import Request, Response

from pdr_dspy.calls import current_tag
from pdr_dspy.endpoint.completion import broken_off, finish_of, response_of, usage_of, verdict
from pdr_dspy.endpoint.flights import Flights
from pdr_dspy.endpoint.limiter import Limiter
from pdr_dspy.endpoint.log import CallLog
from pdr_dspy.endpoint.preflight import Identity
from pdr_dspy.endpoint.replicas import Replicas
from pdr_dspy.endpoint.requests import EXTRAS, THINKING_FIELD, Extras, clamped, may_overflow, store_key, wire_body
from pdr_dspy.endpoint.retry import Failure, delay
from pdr_dspy.endpoint.settings import EndpointSettings
from pdr_dspy.endpoint.stats import Tally
from pdr_dspy.endpoint.store import Store, StoredCompletion
from pdr_dspy.endpoint.tokenizer import ServerEncoder
from pdr_dspy.endpoint.transport import Transport
from pdr_dspy.errors import CallError, ContextOverflow, EndpointError, ServerFailure, TimedOut

logger = logging.getLogger(__name__)


class _FieldRefused(Exception):
    """The server does not know the thinking cap: ask again without it."""


class Caller:
    """Answers calls to one endpoint."""

    def __init__(
        self,
        settings: EndpointSettings,
        identity: Identity,
        transport: Transport,
        counter: ServerEncoder | None,
        store: Store | None,
        tally: Tally,
    ) -> None:
        self.limiter = Limiter(settings.load)
        self.replicas = Replicas(settings.urls)
        self._settings = settings
        self._identity = identity
        self._transport = transport
        self._counter = counter
        self._store = store
        self._tally = tally
        self._flights = Flights()
        self._chance = random.Random()
        self._sends_thinking = settings.thinking != "off"

    async def complete(self, request: Request) -> Response:
        """The answer to a request.

        Raises:
            CallError: no usable answer; the class says why.
            EndpointError: the endpoint as a whole can't be used.
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
        log.thinking = log.tag.thinking if self._sends_thinking else None
        body = wire_body(request, extras, self._identity, log.thinking)
        if self._store is None:
            return await self._fresh(body, log, None)
        key = store_key(body, self._identity, log.tag, extras, candidate)
        if (kept := self._store.get(key)) is not None:
            return self._deliver(kept, log, replayed=True)
        async with self._flights.alone(key):
            # Whoever had the key before may have answered it for us.
            if (kept := self._store.get(key)) is not None:
                return self._deliver(kept, log, replayed=True)
            return await self._fresh(body, log, key)

    async def _fresh(self, body: dict[str, Any], log: CallLog, key: str | None) -> Response:
        body = await self._fitted(body, log)
        last = self._settings.retries
        for number in range(last + 1):
            result = await self._attempt(body, log)
            if isinstance(result, StoredCompletion):
                self._keep(key, result)
                return self._deliver(result, log)
            self._check_thinking(body, result)
            if not result.passing or number == last:
                raise result.error()
            if not (result.connection and self.replicas.any_awake):  # another replica need not wait
                await asyncio.sleep(delay(number, result, base=self._settings.backoff, chance=self._chance))
        raise AssertionError("unreachable: the last attempt raises or returns")

    async def _attempt(self, body: Mapping[str, Any], log: CallLog) -> StoredCompletion | Failure:
        cap = int(body.get("max_tokens") or 0)
        async with self.limiter.slot():
            replica = self.replicas.take()
            started, clock = time.time(), time.perf_counter()
            limit = asyncio.timeout(self._settings.timeout)
            try:
                async with limit:
                    result = await self._transport.send(replica.url, body)
            except TimeoutError:
                result = Failure("timeout", f"no answer within {self._settings.timeout:g} seconds")
            except asyncio.CancelledError:
                log.closed = True
                late = log.deadline is not None and log.deadline.expired()
                log.attempt(
                    "timeout" if late else "cutoff",
                    replica=replica.url,
                    max_tokens=cap,
                    seconds=time.perf_counter() - clock,
                    started=started,
                    detail="the time limit of the call passed" if late else "cancelled by the caller",
                )
                raise
            finally:
                self.replicas.release(replica)
            seconds = time.perf_counter() - clock
        if isinstance(result, Failure) and result.connection:
            self.replicas.unreachable(replica)
        elif not isinstance(result, Failure) or result.status is not None:
            self.replicas.answered(replica)
        failure = result if isinstance(result, Failure) else broken_off(result)
        if failure is not None:
            log.attempt(
                failure.outcome,
                replica=replica.url,
                usage=None if isinstance(result, Failure) else usage_of(result),
                finish="" if isinstance(result, Failure) else finish_of(result),
                max_tokens=cap,
                seconds=seconds,
                started=started,
                detail=failure.detail,
            )
            return failure
        assert not isinstance(result, Failure)
        return StoredCompletion(result, seconds, None, started, cap, replica.url)

    def _deliver(self, completion: StoredCompletion, log: CallLog, *, replayed: bool = False) -> Response:
        finish = finish_of(completion.body)
        response = response_of(completion.body)
        error = verdict(response, finish)
        log.attempt(
            "ok" if error is None else error.kind,
            replica=completion.replica,
            usage=usage_of(completion.body),
            finish=finish,
            max_tokens=completion.max_tokens,
            seconds=completion.seconds,
            first_token_seconds=completion.first_token_seconds,
            started=completion.started,
            replayed=replayed,
            detail="" if error is None else str(error),
        )
        if error is not None:
            raise error
        return response

    def _keep(self, key: str | None, completion: StoredCompletion) -> None:
        if key is None or self._store is None:
            return
        try:
            self._store.put(key, completion)
        except OSError as error:  # the answer is paid for: use it, and say that it will have to be paid for again
            self.warn(f"the store can't be written ({error.strerror}): completions are not kept")

    async def _fitted(self, body: dict[str, Any], log: CallLog) -> dict[str, Any]:
        """The body with a cap that fits beside its prompt."""
        context = self._identity.context
        if context is None or self._counter is None or not may_overflow(body, context):
            return body
        try:
            prompt = await asyncio.to_thread(self._counter.count_chat, body)
        except ServerFailure as error:
            self.warn(f"{error}: caps are sent unclamped")
            return body
        asked = body.get("max_tokens")
        cap = clamped(asked, prompt, context)
        if cap is not None and cap <= 0:
            problem: CallError = ContextOverflow(f"a prompt of {prompt} tokens in a context of {context}")
            log.attempt(problem.kind, detail=str(problem))
            raise problem
        return body if cap is None else {**body, "max_tokens": cap}

    def _check_thinking(self, body: Mapping[str, Any], failure: Failure) -> None:
        if not (failure.refuses_thinking and THINKING_FIELD in body):
            return
        if self._settings.thinking == "server":
            raise EndpointError(
                "thinking",
                f"the server refuses {THINKING_FIELD} ({failure.detail})",
                "Start vLLM with --reasoning-parser (and --reasoning-config), or set thinking to auto or off",
            )
        self._sends_thinking = False
        self.warn(f"the server refuses {THINKING_FIELD}: thinking is capped by max_tokens alone ({failure.detail})")
        raise _FieldRefused

    def warn(self, text: str) -> None:
        """Note a warning in the stats and, the first time, in the log."""
        if self._tally.warn(text):
            logger.warning("%s", text)
