"""The search itself: ask, measure, tell, a few trials at a time so that the endpoint never waits for a trial's tail.

Trials are told in the order they end. Stopped (Ctrl-C, time over, endpoint gone) it cancels what is in flight and
leaves those trials to be asked for again; their finished calls are in the store. Where other workers search the same
study it looks after them: their trials count, and those of a dead one are measured here; such a study is in a database,
and is asked `beside` the event loop. Knows nothing of the terminal.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

from optimize.engine.off_loop import StorageAway, off_loop
from optimize.objectives.measurement import Measurement, scores
from optimize.space.title import title
from optimize.study.own_trials import TrialTaken
from optimize.study.study import Study
from optimize.study.trials import METRICS, WORKFLOW, Suggestion
from pdr_dspy.errors import SpendExhausted
from pdr_dspy.workflow import dump_workflow

Ending = Literal["complete", "timeout", "stopped", "exhausted", "spent"]

REPEATS = 30
"""Suggestions in a row that may be known already before the space counts as exhausted."""

LOOK = 5.0
"""Seconds between two looks at what other workers do."""


T = TypeVar("T")


class Watcher(Protocol):
    """Who is told how the search goes."""

    def started(self, number: int, title: str) -> None:
        """A trial began."""
        ...

    def ended(self, number: int, measured: Measurement) -> None:
        """A trial has its values."""
        ...

    def repeated(self, number: int, original: int) -> None:
        """A trial was answered with the values of an equal one."""
        ...

    def dropped(self, number: int) -> None:
        """A trial was interrupted."""
        ...


Measure = Callable[[Suggestion], Awaitable[Measurement]]
Record = Callable[[Suggestion, Measurement], Awaitable[None]]


@dataclass
class Search:
    """One run of the search over a study.

    Attributes:
        study: Where trials come from and go to.
        measure: Evaluates a suggestion's candidate.
        record: Writes a measured trial to the tracker; runs before the trial is told, so that none is lost.
        watcher: Who is told.
        trials: How many different points the study shall have, earlier runs included.
        jobs: Trials at once.
        seconds: Time limit, or None.
        begun: How many trials were started here.
    """

    study: Study
    measure: Measure
    record: Record
    watcher: Watcher
    trials: int
    jobs: int = 2
    seconds: float | None = None
    begun: int = 0
    _dry: bool = field(default=False, repr=False)
    _running: dict[asyncio.Task[Measurement], Suggestion] = field(default_factory=dict, repr=False)
    _stop: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    async def run(self, stop: asyncio.Event) -> Ending:
        """Search until there are enough trials, time or tokens are used up, or `stop` is set.

        Raises:
            EndpointError: the endpoint is gone.
        """
        deadline = None if self.seconds is None else time.monotonic() + self.seconds
        self._stop = stop
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while True:
                if self.study.workers is not None:
                    await self.ask(self.study.recover)
                found = await self._fill()
                if not self._running and await self.ask(partial(self._over, found)):
                    return "complete" if found else "exhausted"
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                if self.study.workers is not None:
                    left = LOOK if left is None else min(left, LOOK)
                waited: set[asyncio.Future[Any]] = {*self._running, stopping}
                await asyncio.wait(waited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                try:
                    for task in [task for task in self._running if task.done()]:
                        await self._tell(task)
                except SpendExhausted:
                    return "spent"
                if stop.is_set():
                    return "stopped"
                if deadline is not None and time.monotonic() >= deadline:
                    return "timeout"
        except StorageAway:
            return "stopped"
        finally:
            stopping.cancel()
            await self._abandon()

    async def ask(self, work: Callable[[], T]) -> T:
        """What `work` says, which asks the study.

        Raises:
            StorageAway: the search was stopped, and there is no answer.
        """
        return work() if self.study.workers is None else await off_loop(lambda: self._alone(work), self._stop)

    def _alone(self, work: Callable[[], T]) -> T:
        # A study is for one thread at a time; one that nobody waits for any more may still be at it.
        with self._turn:
            return work()

    async def _fill(self) -> bool:
        """Start trials while there is room; False if nothing new can be found."""
        repeats = 0
        while len(self._running) < self.jobs and repeats < REPEATS and await self.ask(self._room):
            suggestion = await self.ask(self._next)
            if suggestion == "wait":
                break
            if suggestion == "known":
                repeats += 1
                continue
            repeats = 0
            self.begun += 1
            self.watcher.started(suggestion.number, title(suggestion.candidate, suggestion.baseline))
            self._running[asyncio.ensure_future(self._work(suggestion))] = suggestion
        self._dry = repeats == REPEATS or (self._dry and self.study.workers is not None)
        return not self._dry

    def _over(self, found: bool) -> bool:
        """Whether nothing is left to do, where nothing is running here."""
        return not self.study.elsewhere and (not found or not self._room())

    def _room(self) -> bool:
        """Whether another trial may start."""
        if self.study.workers is None:
            return self.study.taken + len(self._running) < self.trials
        # Where all is known, asking again and again while others work would only fill the storage.
        return self.study.taken < self.trials and (not self._dry or self.study.waiting)

    def _next(self) -> Suggestion | Literal["known", "wait"]:
        """A suggestion, unless its point is known already, or another worker was faster; copies are told at once."""
        try:
            suggestion = self.study.ask()
            if suggestion.copy_of is not None:
                self.study.tell_copy(suggestion, suggestion.copy_of)
                self.watcher.repeated(suggestion.number, suggestion.copy_of.number)
            elif equal := self.study.in_flight(suggestion):
                self.study.make_way(suggestion, equal)
            else:
                return suggestion if self.study.take(suggestion, self.trials) else "wait"
        except TrialTaken:
            return "wait"
        return "known"

    async def _work(self, suggestion: Suggestion) -> Measurement:
        measured = await self.measure(suggestion)
        await self.ask(partial(self.study.confirm, suggestion))
        await self.record(suggestion, measured)
        return measured

    async def _tell(self, task: asyncio.Task[Measurement]) -> None:
        suggestion = self._running[task]
        try:
            measured = task.result()  # what else it raises ends the search; `_abandon` closes the trial
            await self.ask(partial(self._keep, suggestion, measured))
        except TrialTaken:
            self.watcher.dropped(suggestion.number)
        else:
            self.watcher.ended(suggestion.number, measured)
        del self._running[task]

    def _keep(self, suggestion: Suggestion, measured: Measurement) -> None:
        # Where not one call could be made there is no latency to weigh: such a point is no candidate either.
        tokens = (suggestion.candidate.plan.budget.tokens or 0) if measured.metrics["sum_calls"] else -1
        self.study.tell(
            suggestion,
            measured.point(self.study.objectives),
            overrun=measured.metrics["longest_path"] - tokens,
            attrs={METRICS: measured.as_dict(), WORKFLOW: dump_workflow(suggestion.candidate.workflow)},
            scores=None if measured.evaluation is None else scores(measured.evaluation, self.study.objectives),
            given_up=bool(measured.given_up),
        )

    async def _abandon(self) -> None:
        """Cancel what is in flight and leave it to the next run."""
        tasks, self._running = self._running, {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for suggestion in tasks.values():
            with suppress(StorageAway):  # others will take it for lost
                await self.ask(partial(self.study.drop, suggestion, interrupted=True))
            self.watcher.dropped(suggestion.number)
