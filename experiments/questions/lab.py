"""Measures jobs on one endpoint, a few at a time so that its load stays up, and keeps every result.

What was measured before is read from its rows; only what is missing is run, and of that the store answers the calls
that were paid for. Ctrl-C keeps everything. Knows nothing of the questions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from experiments.questions.admission import admission
from experiments.questions.config import Config
from experiments.questions.rows import Row, Rows, fingerprint, row_of
from experiments.questions.strategies import Job
from optimize.engine.interrupts import interruptible
from optimize.engine.tracking import Tracking
from optimize.objectives.evaluator import incomplete, spoilt
from optimize.objectives.measurement import measurement
from optimize.reporting.progress import Progress
from optimize.space.shapes import Params
from optimize.space.space import Candidate
from pdr_dspy.budget import Budget
from pdr_dspy.data import Dataset, load_data, split
from pdr_dspy.data_options import told
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import EndpointError
from pdr_dspy.evaluation import Evaluation, ProblemResult, evaluate
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import plan

LOST = 0.5
"""Share of problems spoilt by the server from which on nothing can be said; what is spoilt is asked again next time."""

AT_ONCE = 2
"""Jobs measured at once: one alone would leave the endpoint idle at its end."""


class Stopped(Exception):
    """Ctrl-C: what is done is kept."""


@dataclass(frozen=True)
class Measured:
    """A job with its results."""

    job: Job
    evaluation: Evaluation
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """The strategy's name."""
        return self.job.workflow.name


@dataclass
class Problems:
    """The configuration's problem sets, loaded once each and cut in two.

    Attributes:
        config: Which sets.
        reading: Arguments of `load_data` for all of them.

    Raises:
        DataError: from `of`: a set can't be read, or one of its sides is empty.
    """

    config: Config
    reading: Mapping[str, Any] = field(default_factory=dict)
    _loaded: dict[str, tuple[Dataset, Dataset]] = field(default_factory=dict, repr=False)

    def of(self, job: Job) -> Dataset:
        """The problems of a job: as many as it asks for, or as there are."""
        if job.set not in self._loaded:
            spec = self.config.sets[job.set].data
            self._loaded[job.set] = split(told(load_data(spec, **self.reading)))
        search, report = self._loaded[job.set]
        return (search if job.side == "search" else report).head(job.count)


class Lab:
    """One endpoint and one directory of results.

    Args:
        config: What is measured.
        endpoint: The model.
        folder: Where rows are kept.
        problems: The problem sets.
        tracking: Logs every job, in the order they are asked for.
        first: Number of the first of them there.
    """

    def __init__(
        self,
        config: Config,
        endpoint: Endpoint,
        folder: Path,
        problems: Problems,
        tracking: Tracking | None = None,
        first: int = 0,
    ) -> None:
        self.config = config
        self.endpoint = endpoint
        self._folder = folder
        self.problems = problems
        self.tracking = tracking
        self._numbered = first

    def measure(self, phase: str, jobs: Sequence[Job]) -> list[Measured]:
        """Every job's results, in the jobs' order.

        Raises:
            Stopped: Ctrl-C.
            InputError: something that can't be run, found before the first call.
        """
        if not jobs:
            return []
        programs = [self._program(job) for job in jobs]
        for program in programs:
            program.plan(self.endpoint.context)
        most = max(len(self.problems.of(job)) * self.config.sets[job.set].samples for job in jobs)
        with Progress(
            phase, total=len(jobs), problems=most, latency="seconds", tokens=lambda: self.endpoint.stats.fresh_tokens
        ) as progress:
            measured = interruptible(lambda stop: self._all(jobs, programs, progress, stop))
        if measured is None:
            raise Stopped
        self._numbered += len(jobs)
        return measured

    def _program(self, job: Job) -> PDR:
        data = self.problems.of(job)
        admit = admission(job.rule, data)
        return PDR(data.signature, job.workflow, seed=self.config.seed, admit=admit, vote_on=data.graded_field)

    async def _all(
        self, jobs: Sequence[Job], programs: Sequence[PDR], progress: Progress, stop: asyncio.Event
    ) -> list[Measured] | None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, job: Job, program: PDR) -> Measured:
            async with room:
                began = time.time()
                progress.started(number, _title(job))
                measured = await self._one(job, program, partial(_tick, progress, number))
                progress.ended(number, measurement(measured.evaluation))
                await self._track(self._numbered + number, measured, began)
                return measured

        work = asyncio.gather(*(one(i, j, p) for i, (j, p) in enumerate(zip(jobs, programs, strict=True))))
        stopping = asyncio.ensure_future(stop.wait())
        waited: set[asyncio.Future[Any]] = {work, stopping}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            return list(work.result()) if work.done() else None
        finally:
            stopping.cancel()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _one(self, job: Job, program: PDR, tick: Callable[[], None]) -> Measured:
        data = self.problems.of(job)
        samples = self.config.sets[job.set].samples
        key = fingerprint(program, data, self.endpoint.identity, job.rule)
        rows = Rows(self._folder / f"{key}.jsonl", data.problems)
        lost: dict[tuple[str, int], Row] = {}

        def keep(result: ProblemResult) -> None:
            if (result.problem, result.sample) in rows.kept:
                return
            row = row_of(result)
            if incomplete(result):
                lost[result.problem, result.sample] = row
            else:
                rows.add(row)
            tick()

        try:
            missing = [p for p in data.problems if any((p.id, s) not in rows.kept for s in range(samples))]
            if missing:
                part = data.with_problems(missing)
                await evaluate(program, part, lm=self.endpoint.lm, samples=samples, on_result=keep)
        finally:
            rows.close()
        unanswered = [row.result for row in lost.values() if spoilt(row.result)]
        if unanswered and len(unanswered) >= LOST * len(data) * samples:
            first = unanswered[0]
            problem = f"{len(unanswered)} problems were spoilt ({first.failure}: {first.detail})"
            raise EndpointError(
                "endpoint", problem, "Look at the server; what was done is kept, and the same command goes on"
            )
        found = {**rows.kept, **lost}
        ordered = tuple(found[p.id, s] for p in data.problems for s in range(samples))
        return Measured(job, Evaluation(tuple(row.result for row in ordered)), ordered)

    async def _track(self, number: int, measured: Measured, began: float) -> None:
        if self.tracking is None:
            return
        job = measured.job
        params: Params = {name: getattr(job, name) for name in ("set", "side", "family", "rule", "checkpoint")}
        candidate = Candidate({**params, "name": measured.name}, job.workflow, plan(job.workflow, Budget()))
        await self.tracking.trial(number, candidate, _title(job), measurement(measured.evaluation), began)


def _tick(progress: Progress, number: int) -> None:
    progress.problem(number)


def _title(job: Job) -> str:
    more = "".join(f", {text}" for text in (job.rule, job.checkpoint) if text)
    return f"{job.set} {job.side} {job.workflow.name}{more}"
