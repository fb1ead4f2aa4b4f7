"""One request to a served model: a place among those in flight, a replica, attempts until one is answered.

Every failed attempt is recorded here; the answer is not, because what it amounts to is for others to say. Lives on the
library's event loop.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pdr_dspy import forking
from pdr_dspy.endpoint.allowance import Allowance, Hold
from pdr_dspy.endpoint.booking import Bounds, bounds_of, dropped, generated, uncounted
from pdr_dspy.endpoint.completion import finish_of, usage_of
from pdr_dspy.endpoint.counted import Counted
from pdr_dspy.endpoint.limiter import Limiter
from pdr_dspy.endpoint.log import CallLog
from pdr_dspy.endpoint.replicas import Replicas
from pdr_dspy.endpoint.requests import THINKING_FIELD
from pdr_dspy.endpoint.retry import Failure, delay
from pdr_dspy.endpoint.settings import EndpointSettings
from pdr_dspy.endpoint.store import StoredCompletion
from pdr_dspy.endpoint.transport import Transport
from pdr_dspy.errors import InputError
from pdr_dspy.ledger import REFUSED

Failed = Callable[[Mapping[str, Any], Failure, CallLog], None]
"""Looks at a failed attempt's request and failure; may raise to end the trying."""


_LOOK = 0.05
"""Seconds between two looks for room in the allowance."""


class Attempts:
    """Sends requests to one endpoint.

    Args:
        settings: Addresses and limits.
        transport: The way there.
        failed: Told of every failed attempt before it is tried again.
        counted: Counts what an answer does not say.
        allowance: What may be generated in all; None: anything.
        context: The model's length in tokens, or None where nobody says.

    Attributes:
        limiter: The gate before the server.
        replicas: The addresses behind it.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        transport: Transport,
        failed: Failed,
        counted: Counted,
        allowance: Allowance | None = None,
        context: int | None = None,
    ) -> None:
        self.limiter = Limiter(settings.load)
        self.replicas = Replicas(settings.urls)
        self._settings = settings
        self._transport = transport
        self._failed = failed
        self._counted = counted
        self._allowance = allowance
        self._context = context
        self._chance = random.Random()
        self._waiting: list[object] = []  # requests that tokens are not set aside for yet
        forking.in_child(self._in_child)

    def _in_child(self) -> None:
        self._waiting.clear()  # they are the parent's

    async def sent(self, body: Mapping[str, Any], log: CallLog) -> StoredCompletion:
        """The answer to a request, not recorded yet.

        Raises:
            CallError: what the last attempt came to.
            EndpointError: the endpoint can't be used.
            SpendExhausted: nothing more may be generated.
            InputError: what may be generated in all is limited, and this request is not.
        """
        result = await self.tried(body, log)
        if isinstance(result, Failure):
            raise result.error()
        return result

    async def tried(
        self, body: Mapping[str, Any], log: CallLog, preferred: str | None = None, *, retries: int | None = None
    ) -> StoredCompletion | Failure:
        """The answer to a request, not recorded yet, or the failure of the last attempt.

        Args:
            body: The request.
            log: The call's log.
            preferred: Address to be asked first.
            retries: Attempts after the first; None: as the settings say.
        """
        last = self._settings.retries if retries is None else retries
        for number in range(last + 1):
            async with self.limiter.slot():
                result = await self._allowed(body, log, preferred)
            if isinstance(result, StoredCompletion):
                return result
            self._failed(body, result, log)
            if not result.passing or number == last:
                return result
            if result.connection:
                preferred = None  # what was in its cache is gone
            if not (result.connection and self.replicas.any_awake):  # another replica need not wait
                pause = delay(number, result, base=self._settings.backoff, chance=self._chance)
                if log.left < pause:  # the call's time would pass with waiting
                    why = f"no time is left to wait {pause:.1f} seconds and try again ({result.detail})"
                    log.attempt("timeout", detail=why)
                    return Failure("timeout", why, status=result.status)
                await asyncio.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns")

    async def _allowed(
        self, body: Mapping[str, Any], log: CallLog, preferred: str | None
    ) -> StoredCompletion | Failure:
        """An attempt, its tokens set aside before and booked after.

        In a place of the limiter's already: a request that waits for one is not in flight, and where this process is
        killed only what was in flight counts as spent.
        """
        bounds = bounds_of(body, self._context)
        if self._allowance is None:
            return await self._attempt(body, log, preferred, bounds)
        if bounds.most is None:
            problem = "a request without a cap can't be held to what may be generated in all"
            raise InputError("max_tokens", problem, "Give a number of tokens; the server does not state the context")
        hold = await self._held(self._allowance, bounds.most)
        booked: int | None = None
        try:
            result = await self._attempt(body, log, preferred, bounds)
            booked = generated(result, bounds)
            return result
        finally:
            self._allowance.settle(hold, booked)

    async def _held(self, allowance: Allowance, tokens: int) -> Hold:
        """Tokens set aside, once there is room for them; requests come to it in their order.

        Else a small one could pass a large one that there is no room for, and be cut off when that is refused.
        """
        turn = object()
        self._waiting.append(turn)
        try:
            while self._waiting[0] is not turn or (hold := allowance.hold(tokens)) is None:
                await asyncio.sleep(_LOOK)
            return hold
        finally:
            self._waiting.remove(turn)

    async def _attempt(
        self, body: Mapping[str, Any], log: CallLog, preferred: str | None, bounds: Bounds
    ) -> StoredCompletion | Failure:
        cap = int(body.get("max_tokens") or 0)
        replica = self.replicas.take(preferred)
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
                uncounted=bounds.most or 0,
            )
            raise
        finally:
            self.replicas.release(replica)
        seconds = time.perf_counter() - clock
        if isinstance(result, Failure) and result.connection:
            self.replicas.unreachable(replica)
        elif not isinstance(result, Failure) or result.status is not None:
            self.replicas.answered(replica)
        if not isinstance(result, Failure):
            answer = await self._read(StoredCompletion(result, seconds, None, started, cap, replica.url), body, log)
            result = dict(answer.body)
        failure = result if isinstance(result, Failure) else dropped(result, bounds)
        if failure is not None:
            refused = failure.refuses_thinking and THINKING_FIELD in body and log.own_cap
            log.attempt(
                REFUSED if refused else failure.outcome,
                replica=replica.url,
                usage=None if isinstance(result, Failure) else usage_of(result),
                finish="" if isinstance(result, Failure) else finish_of(result),
                max_tokens=cap,
                seconds=seconds,
                started=started,
                detail=failure.detail,
                uncounted=uncounted(failure, bounds),
            )
            return failure
        return answer

    async def _read(self, answer: StoredCompletion, body: Mapping[str, Any], log: CallLog) -> StoredCompletion:
        try:
            return await self._counted.counted(answer, body)
        except asyncio.CancelledError:
            log.closed = True
            late = log.deadline is not None and log.deadline.expired()
            uncounted = replace(answer, body={**answer.body, "usage": None})
            log.answered(uncounted, "timeout" if late else "cutoff", "ended while its tokens were counted")
            raise
