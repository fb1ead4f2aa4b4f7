"""One search that may spend: trials, then the report, then what it leaves behind. It sets the other modules to work.

Of several workers the last one to leave the search reports; the others say who does, and end.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import time
from dataclasses import dataclass

from optimize.crew import Turn
from optimize.finish import Entry, entries, measure_all
from optimize.loop import Ending, Search
from optimize.objective import MIDDLE, Bench, Latency, Measurement, scores
from optimize.options import INTERRUPTED, Sizes
from optimize.outcome import Outcome
from optimize.progress import Progress
from optimize.racing import Beaten, beaten, rungs
from optimize.sources import Problems
from optimize.space import Space
from optimize.spending import reporting, spent_text
from optimize.state import StateDir
from optimize.storages import without_password
from optimize.study import TRACKED, Study, Suggestion
from optimize.supervise import supervised
from optimize.table import Row, mean_in_flight
from optimize.together import await_turn, elsewhere, end_tracking, meet, say, scattered
from optimize.track import Tracking
from pdr_dspy.budget import Budget
from pdr_dspy.endpoint import Endpoint, FileAllowance
from pdr_dspy.evaluation import Evaluation, ProblemResult


@dataclass
class Session:
    """A search that may spend: everything it needs is there and was checked."""

    options: argparse.Namespace
    budget: Budget
    sizes: Sizes
    problems: Problems
    state: StateDir
    endpoint: Endpoint
    space: Space
    study: Study
    tracking: Tracking
    allowance: FileAllowance

    def __post_init__(self) -> None:
        self.in_flight: float | None = None
        self.begun = 0
        self.bench = Bench(self.endpoint, self.budget, self.options.seed, self.options.samples)

    def run(self) -> int:
        """Search, report, tell; the exit code."""
        say(
            f"study {self.study.name} in {self.state.path} ({len(self.study.complete)} trials so far), "
            f"{self.endpoint.identity.model}, {len(self.problems.search)} problems a trial, load {self.endpoint.load}"
        )
        if crew := self.study.crew:
            meet(crew, self.state)
            if self.allowance.limit is not None and self.scattered:
                say(f"--spend is kept by the workers in {self.state.path}; those elsewhere count for themselves")
        began = time.monotonic()
        outcome = supervised(self._work)
        if outcome is None:
            end_tracking(self.study.crew, self.tracking, "KILLED")
            print(f"\nstopped after {len(self.study.complete)} trials; the same command goes on:\n  {_command()}")
            return INTERRUPTED
        if isinstance(outcome, Turn):
            self.tracking.leave()
            say(elsewhere(outcome, len(self.study.complete)))
            return 0
        rows, ending, seconds = outcome
        self.tracking.settle({t.number for t in self.study.complete})
        Outcome(self, rows, ending, seconds, time.monotonic() - began).tell()
        if crew:
            crew.reported(f"{platform.node()}:{self.state.path}")
        return 0

    @property
    def scattered(self) -> bool:
        """Whether workers of the study have other directories, and so completions and a spend of their own."""
        return self.study.crew is not None and scattered(self.study.crew)

    async def _work(self, stop: asyncio.Event) -> tuple[list[Row], Ending, float] | Turn | None:
        began = time.monotonic()
        ending = await self._search(stop)
        seconds = time.monotonic() - began
        if ending == "stopped":
            return None
        if ending == "exhausted":
            say(f"nothing new left to try after {len(self.study.complete)} different workflows")
        elif ending == "spent":
            say(
                f"{self.allowance.spent:,} tokens are spent and the rest of --spend is for the report: "
                f"the search ends after {len(self.study.complete)} trials"
            )
        elif ending == "timeout":
            say(f"time is over after {len(self.study.complete)} trials")
        if self.study.crew is not None:
            # Who came only to report (because a worker died that should have) waits for what becomes of the others.
            patient = ending in ("complete", "exhausted") and not self.begun
            turn = await await_turn(self.study.crew, lambda: len(self.study.complete), stop, patient=patient)
            if turn is None or turn.whose != "mine":
                return turn
        rows = await self._report(stop)
        return None if rows is None else (rows, ending, seconds)

    async def _search(self, stop: asyncio.Event) -> Ending:
        started: dict[int, float] = {}
        self._keep_back()
        with self._progress(
            "search", self.sizes.trials, len(self.problems.search), len(self.study.complete), self.sizes.timeout
        ) as progress:
            for trial in self.study.feasible:
                progress.seen(f"t{trial.number}", self.study.point(trial))

            async def measure(suggestion: Suggestion) -> Measurement:
                started[suggestion.number] = time.time()
                workflow, data = suggestion.candidate.workflow, self.problems.search

                def on_result(_: ProblemResult) -> None:
                    progress.problem(suggestion.number)

                # Baselines are in the report whatever they do.
                if suggestion.baseline or not self.options.racing:
                    return await self.bench.measure(workflow, data, on_result=on_result)
                return await self.bench.race(workflow, data, self._judge, on_result=on_result)

            async def record(suggestion: Suggestion, measured: Measurement) -> None:
                run = await self.tracking.trial(
                    suggestion.number, suggestion.candidate, suggestion.baseline, measured, started[suggestion.number]
                )
                self.study.attach(suggestion, TRACKED, run)
                progress.done = len(self.study.complete)  # other workers have done some of them
                self._keep_back()

            search = Search(
                self.study,
                measure,
                record,
                progress,
                self.options.latency,
                self.sizes.trials,
                jobs=self.options.jobs,
                seconds=self.sizes.timeout,
            )
            try:
                return await search.run(stop)
            finally:
                self.begun = search.begun

    def _keep_back(self) -> None:
        """Leave of the allowance what the report will take, as far as the search can tell."""
        if self.allowance.limit is None:
            return
        runs = len(self.problems.report) * self.options.samples
        self.allowance.kept = round(reporting(entries(self.study, self.space, self.sizes.front), runs))

    def _judge(self, seen: Evaluation) -> Beaten | None:
        latency: Latency = self.options.latency
        looks = len(rungs(len(self.problems.search))) - 1
        return beaten(scores(seen, latency), self.study.rivals, middle=MIDDLE[latency], looks=looks)

    async def _report(self, stop: asyncio.Event) -> list[Row] | None:
        chosen = entries(self.study, self.space, self.sizes.front)
        self.allowance.kept = 0
        before = self.endpoint.stats
        data = self.problems.report
        say(f"measuring {len(chosen)} workflows on {len(data)} problems the search never saw")
        with self._progress("report", len(chosen), len(data)) as progress:

            async def measure(number: int, entry: Entry) -> Measurement:
                return await self.bench.measure(
                    entry.candidate.workflow, data, fresh=True, on_result=lambda _: progress.problem(number)
                )

            async def record(entry: Entry, measured: Measurement) -> None:
                await self.tracking.reported(entry.run, measured)

            rows = await measure_all(chosen, measure, record, progress, stop, jobs=self.options.jobs)
        self.in_flight = mean_in_flight(before, self.endpoint.stats)
        return rows

    def _progress(self, phase: str, total: int, problems: int, done: int = 0, seconds: float | None = None) -> Progress:
        return Progress(
            phase,
            total=total,
            problems=problems * self.options.samples,
            latency=self.options.latency,
            tokens=lambda: self.endpoint.stats.fresh_tokens,
            done=done,
            seconds=seconds,
            spent=lambda: spent_text(self.allowance),
        )


def _command() -> str:
    import shlex

    return shlex.join(["python", *map(without_password, sys.argv)])
