"""One search that may spend: trials, then the report, then what it leaves behind. It sets the other modules to work.

Of several workers the last one to leave the search reports; the others say who does, and end.
"""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Literal

from optuna.exceptions import StorageInternalError

from optimize.engine.coordination import await_turn, elsewhere, end_tracking, meet, say, scattered
from optimize.engine.entries import Entry, entries, measure_all, over_loads
from optimize.engine.interrupts import interruptible
from optimize.engine.loop import Ending, Search
from optimize.engine.outcome import Outcome
from optimize.engine.prepared import Prepared
from optimize.engine.result import SearchResult
from optimize.engine.spending import reporting, spent_text
from optimize.objectives.evaluator import Evaluator
from optimize.objectives.front import Point
from optimize.objectives.loads import LoadLevel, apart, problems_at
from optimize.objectives.measurement import Measurement, scores
from optimize.objectives.racing import Beaten, Scores, beaten, rungs
from optimize.reporting.progress import Progress
from optimize.reporting.report import Row, mean_in_flight
from optimize.reporting.uncounted import reading
from optimize.space.title import title
from optimize.study.trials import TRACKED, Suggestion, baseline_of
from optimize.study.workers import Turn
from pdr_dspy.data import Dataset
from pdr_dspy.evaluation import Evaluation, ProblemResult


class Session:
    """Runs a search: trials, report, files.

    Args:
        prepared: Everything it needs, checked.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.request, self.problems, self.space = prepared.request, prepared.problems, prepared.space
        self.state, self.endpoint, self.study = prepared.state, prepared.endpoint, prepared.study
        self.tracking, self.allowance = prepared.tracking, prepared.allowance
        self.sizes = self.request.sizes
        self.parts = problems_at(self.request.load, len(self.problems.report))
        self.levels: list[LoadLevel] = []
        self.begun = 0
        self.evaluator = Evaluator(self.endpoint, self.request.budget, self.request.seed, self.request.samples)

    def run(self, command: str = "") -> SearchResult:
        """Search, report, tell; `command` is told where it is interrupted."""
        say(
            f"study {self.study.name} in {self.state.path} ({len(self.study.complete)} trials so far), "
            f"{self.endpoint.identity.model}, {len(self.problems.search)} problems a trial, load {self.endpoint.load}"
        )
        if workers := self.study.workers:
            meet(workers, self.state)
            if self.allowance.limit is not None and self.scattered:
                say(f"--spend is kept by the workers in {self.state.path}; those elsewhere count for themselves")
        opened = reading(self.endpoint)
        began = time.monotonic()
        found = interruptible(self._work)
        if found is None:
            self.study.hurry()
            after = ""
            with suppress(StorageInternalError):  # it was being waited for: what it holds is as it was
                end_tracking(self.study.workers, self.tracking, "KILLED")
                after = f" after {len(self.study.complete)} trials"
            again = f"the same command goes on:\n  {command}" if command else "the same request goes on"
            print(f"\nstopped{after}; {again}")
            return self._ended("interrupted")
        if isinstance(found, Turn):
            self.tracking.leave()
            say(elsewhere(found, len(self.study.complete)))
            return self._ended("elsewhere")
        rows, ending, seconds = found
        self.tracking.settle({t.number for t in self.study.complete})
        report = Outcome(
            self.prepared,
            rows,
            levels=tuple(self.levels),
            opened=opened,
            ending=ending,
            searched=seconds,
            elapsed=time.monotonic() - began,
            scattered=self.scattered,
        ).tell()
        if workers:
            workers.reported(f"{platform.node()}:{self.state.path}")
        return replace(self._ended("reported"), report=report)

    def _ended(self, ending: Literal["reported", "interrupted", "elsewhere"]) -> SearchResult:
        return SearchResult(ending, self.study.name, self.state.path)

    @property
    def scattered(self) -> bool:
        """Whether workers of the study have other directories, and so completions and a spend of their own."""
        return self.study.workers is not None and scattered(self.study.workers)

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
        if self.study.workers is not None:
            # Who came only to report (because a worker died that should have) waits for what becomes of the others.
            patient = ending in ("complete", "exhausted") and not self.begun
            turn = await await_turn(self.study.workers, lambda: len(self.study.complete), stop, patient=patient)
            if turn is None or turn.whose != "mine":
                return turn
        rows = await self._report(stop)
        return None if rows is None else (rows, ending, seconds)

    async def _search(self, stop: asyncio.Event) -> Ending:
        started: dict[int, float] = {}
        with self._progress(
            "search",
            self.sizes.trials,
            len(self.problems.search),
            len(self.study.complete),
            self.sizes.timeout,
            keeps=lambda point: not self.study.limits.excess(point),
            formats=self.space.formats,
        ) as progress:
            for trial in self.study.feasible:
                shown = title(self.space.candidate(trial.params), baseline_of(trial))
                progress.seen(shown, self.study.point(trial))

            async def measure(suggestion: Suggestion) -> Measurement:
                started[suggestion.number] = time.time()
                await search.ask(self._keep_back)  # earlier trials have been told by now
                workflow, data = suggestion.candidate.workflow, self.problems.search

                def on_result(result: ProblemResult) -> None:
                    progress.problem(suggestion.number, result.failure)

                # Baselines are in the report whatever they do.
                if suggestion.baseline or not self.request.racing:
                    return await self.evaluator.measure(workflow, data, on_result=on_result)
                return await self.evaluator.race(workflow, data, judge, on_result=on_result)

            async def judge(seen: Evaluation) -> Beaten | None:
                return self._judge(seen, await search.ask(lambda: self.study.rivals))

            async def record(suggestion: Suggestion, measured: Measurement) -> None:
                number, candidate, baseline = suggestion.number, suggestion.candidate, suggestion.baseline
                run = await self.tracking.trial(
                    number, candidate, title(candidate, baseline), measured, started[number], baseline=baseline
                )
                await search.ask(partial(self.study.attach, suggestion, TRACKED, run))
                # Other workers have done some of them.
                progress.done = await search.ask(lambda: len(self.study.complete))

            search = Search(
                self.study,
                measure,
                record,
                progress,
                self.sizes.trials,
                jobs=self.request.jobs,
                seconds=self.sizes.timeout,
            )
            try:
                return await search.run(stop)
            finally:
                self.begun = search.begun

    def _keep_back(self) -> None:
        """Leave of the allowance what the report will take, as far as the search can tell.

        Called before trials start: until the next one does, no more than `--jobs` are not told and may join the front.
        """
        if self.allowance.limit is None:
            return
        runs = sum(self.parts.values()) * self.request.samples
        chosen = entries(self.study, self.space, self.sizes.front)
        self.allowance.kept = round(reporting(chosen, runs, self.request.jobs))

    def _judge(self, seen: Evaluation, rivals: dict[int, Scores]) -> Beaten | None:
        objectives = self.study.objectives
        looks = len(rungs(len(self.problems.search))) - 1
        return beaten(scores(seen, objectives), rivals, middles=objectives.middles, looks=looks)

    async def _report(self, stop: asyncio.Event) -> list[Row] | None:
        """Measure what was chosen, first at the search's load, then at the others."""
        chosen = entries(self.study, self.space, self.sizes.front)
        self.allowance.free()
        found: dict[int, list[Row]] = {}
        for load, count in self.parts.items():
            data, before = self.problems.report.head(count), self.endpoint.stats
            at = "" if len(self.parts) == 1 else f" at load {load}"
            say(f"measuring {len(chosen)} workflows on {count} problems the search never saw{at}")
            with self.endpoint.at_load(load), self._progress(f"report{at}", len(chosen), count) as progress:
                rows = await self._report_at(load, data, chosen, progress, stop)
            if rows is None:
                return None
            found[load] = rows
            self.levels.append(LoadLevel(load, count, mean_in_flight(before, self.endpoint.stats)))
        return over_loads(found)

    async def _report_at(
        self, load: int, data: Dataset, chosen: list[Entry], progress: Progress, stop: asyncio.Event
    ) -> list[Row] | None:
        own = 0 if load == max(self.parts) else load

        async def measure(number: int, entry: Entry) -> Measurement:
            def on_result(result: ProblemResult) -> None:
                progress.problem(number, result.failure)

            return await self.evaluator.measure(
                entry.candidate.workflow, data, fresh=True, load=own, on_result=on_result
            )

        async def record(entry: Entry, measured: Measurement) -> None:
            await self.tracking.reported(entry.run, apart(measured, own) if own else measured)

        return await measure_all(chosen, measure, record, progress, stop, jobs=self.request.jobs)

    def _progress(
        self,
        phase: str,
        total: int,
        problems: int,
        done: int = 0,
        seconds: float | None = None,
        keeps: Callable[[Point], bool] = lambda point: True,
        formats: Sequence[str] | None = None,
    ) -> Progress:
        return Progress(
            phase,
            total=total,
            problems=problems * self.request.samples,
            latency=self.request.latency,
            tokens=lambda: self.endpoint.stats.fresh_tokens,
            done=done,
            seconds=seconds,
            spent=lambda: spent_text(self.allowance),
            calls=lambda: self.endpoint.stats.failures,
            keeps=keeps,
            costs=self.study.objectives.costs,
            formats=formats,
        )
