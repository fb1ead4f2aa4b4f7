"""The records of one call: every way it can end leaves one in the ledger. Knows nothing of how it is answered."""

from __future__ import annotations

import asyncio
import math
import time
import uuid

from pdr_dspy import ledger
from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint.booking import bounds_sent, uncounted
from pdr_dspy.endpoint.completion import Usage, finish_of, usage_of
from pdr_dspy.endpoint.stats import Tally
from pdr_dspy.endpoint.store import StoredCompletion

_NOTHING = Usage(0, 0, None, None, True)  # nothing was sent, so nothing was used: known, not unreported
_SILENCE = Usage(0, 0, None, None, False)


class CallLog:
    """One call's attempts.

    Args:
        tag: The call's place.
        model: As the server names it.
        tally: Counts the records too.
    """

    def __init__(self, tag: CallTag, model: str, tally: Tally) -> None:
        self.tag = tag
        self.attempts = 0
        self.part = 0
        self.asked = 0
        self.thinking: int | None = None
        self.deadline: asyncio.Timeout | None = None
        self.closed = False  # the call ended inside an attempt, which is recorded
        self._model = model
        self._tally = tally
        self._call = uuid.uuid4().hex
        self._first = 0  # attempt of the part that is being answered

    @property
    def own_cap(self) -> bool:
        """Whether the cap on thinking in its request is the library's own, not the caller's."""
        return self.thinking is not None or self.tag.stage == ledger.PROBE

    @property
    def left(self) -> float:
        """Seconds until the call's time limit; infinity where it has none."""
        when = None if self.deadline is None else self.deadline.when()
        return math.inf if when is None else when - asyncio.get_running_loop().time()

    def next_part(self) -> None:
        """The part so far is answered; what follows continues it."""
        self.part += 1
        self._first = self.attempts

    def answered(self, completion: StoredCompletion, outcome: str, detail: str = "", *, replayed: bool = False) -> None:
        """Record an attempt that was answered, or what the store holds of one."""
        self.attempt(
            outcome,
            replica=completion.replica,
            usage=usage_of(completion.body),
            finish=finish_of(completion.body),
            max_tokens=completion.max_tokens,
            seconds=completion.seconds,
            first_token_seconds=completion.first_token_seconds,
            started=completion.started,
            replayed=replayed,
            detail=detail,
            uncounted=0 if replayed else uncounted(completion, bounds_sent(completion)),
        )

    def attempt(
        self,
        outcome: str,
        *,
        replica: str = "",
        usage: Usage | None = None,
        finish: str = "",
        max_tokens: int = 0,
        seconds: float = 0.0,
        first_token_seconds: float | None = None,
        started: float | None = None,
        replayed: bool = False,
        detail: str = "",
        uncounted: int = 0,
    ) -> None:
        """Record one attempt; without a replica it was never sent."""
        tag = self.tag
        if usage is None:
            usage = _SILENCE if replica else _NOTHING
        entry = ledger.CallRecord(
            call=self._call,
            attempt=self.attempts,
            run=tag.run,
            stage=tag.stage,
            step=tag.step,
            round=tag.round,
            index=tag.index,
            sample=tag.sample,
            problem=tag.problem,
            model=self._model,
            replica=replica,
            outcome=outcome,
            finish=finish,
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            cached_tokens=usage.cached,
            thinking_tokens=usage.thinking,
            reported=usage.reported,
            estimated=usage.estimated,
            max_tokens=max_tokens,
            requested_tokens=self.asked,
            thinking_budget=self.thinking,
            seconds=seconds,
            first_token_seconds=first_token_seconds,
            started=time.time() if started is None else started,
            replayed=replayed,
            detail=detail,
            part=self.part,
            uncounted=uncounted,
        )
        self._tally.add(entry, again=self.attempts > self._first)
        self.attempts += 1
        ledger.record(entry)
