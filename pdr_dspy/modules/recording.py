"""What a run has come to so far: its rounds and failed calls as they are put on record, and its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pdr_dspy.budget import Spend
from pdr_dspy.errors import BudgetExhausted, CallError, TimedOut
from pdr_dspy.modules.fallbacks import Fallback
from pdr_dspy.modules.records import Draft, FailedCall, RoundRecord


class Clock:
    """The clock of a problem's `seconds`, as an async context: what runs in it is cancelled when they are over.

    Args:
        spend: The problem's account.
    """

    def __init__(self, spend: Spend) -> None:
        self._spend = spend
        self._timeout: asyncio.Timeout | None = None

    async def __aenter__(self) -> None:
        self._timeout = asyncio.timeout(self._spend.remaining_seconds())
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._timeout is not None:
            await self._timeout.__aexit__(kind, error, None)

    @property
    def stopped(self) -> bool:
        """Whether it has cancelled what ran in it."""
        return self._timeout is not None and self._timeout.expired()

    def late(self) -> TimedOut:
        """The error of a call that it cut off."""
        return TimedOut(f"the problem's {self._spend.budget.seconds or 0:g} seconds were over")

    def ended(self, error: CallError) -> bool:
        """Whether an error means that the problem's budget has ended, so that no further call can be made."""
        return isinstance(error, BudgetExhausted) or self._spend.remaining_seconds() == 0


class Recorder:
    """Takes a run's rounds and failures down.

    Args:
        clock: Tells a call that the clock cut off from one that was cancelled otherwise.

    Attributes:
        rounds: The rounds that were begun.
        failed: The calls that gave nothing usable.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rounds: list[RoundRecord] = []
        self.failed: list[FailedCall] = []

    @property
    def last(self) -> tuple[Draft, ...]:
        """The drafts of the last round that has any; () where none came."""
        return next((each.drafts for each in reversed(self.rounds) if each.drafts), ())

    @property
    def before(self) -> tuple[Draft, ...]:
        """The drafts of the last round before this one in which one ended with its answer; () where there is none."""
        earlier = (each.drafts for each in reversed(self.rounds[:-1]))
        return next((drafts for drafts in earlier if any(draft.ended for draft in drafts)), ())

    def round(
        self,
        stage: str,
        branches: Sequence[tuple[int, str]],
        results: Sequence[Draft | CallError],
        tokens: Sequence[int | None] = (),
    ) -> list[Draft]:
        """Take down a round: what came of the draft of each branch. Returns its drafts.

        Args:
            stage: Its stage.
            branches: Each branch's number and workspace.
            results: What came of its draft.
            tokens: Tokens of its workspace.
        """
        drafts = [r for r in results if isinstance(r, Draft)]
        failed = [_failed(stage, i, r) for (i, _), r in zip(branches, results, strict=True) if isinstance(r, CallError)]
        self.failed.extend(failed)
        self.rounds.append(RoundRecord(tuple(w for _, w in branches), tuple(drafts), tuple(failed), tuple(tokens)))
        return drafts

    def failure(self, stage: str, index: int, error: CallError) -> None:
        """Take down a call that failed."""
        self.failed.append(_failed(stage, index, error))

    @contextmanager
    def noting(self, stage: str, index: int) -> Iterator[None]:
        """Takes a call down that fails inside, or is cut off by the clock."""
        try:
            yield
        except CallError as error:
            self.failure(stage, index, error)
            raise
        except asyncio.CancelledError:
            if self._clock.stopped:
                self.failure(stage, index, self._clock.late())
            raise

    def replaced(self, fallback: Fallback, index: int | None = None) -> None:
        """Say what was used in place of the call that failed last (of those with this index)."""
        place = max(n for n, failed in enumerate(self.failed) if index is None or failed.index == index)
        before, after = self.failed[place], replace(self.failed[place], fallback=fallback)
        self.failed[place] = after
        if self.rounds:
            failed = tuple(after if each is before else each for each in self.rounds[-1].failed)
            self.rounds[-1] = replace(self.rounds[-1], failed=failed)


def _failed(stage: str, index: int, error: CallError) -> FailedCall:
    return FailedCall(stage, index, error.kind, str(error), error.text)
