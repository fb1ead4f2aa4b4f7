"""One search that may spend: trials, then the report, then what it leaves behind. It sets the other modules to work.

Of several workers the last one to leave the search reports; the others say who does, and end.
"""

from __future__ import annotations

import asyncio
import platform
import time
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from optuna.exceptions import StorageInternalError

from optimize.engine.coordination import await_turn, elsewhere, end_tracking, meet, say, scattered
from optimize.engine.interrupts import interruptible
from optimize.engine.loop import Ending
from optimize.engine.outcome import Outcome
from optimize.engine.prepared import Prepared
from optimize.engine.report_phase import ReportPhase
from optimize.engine.result import SearchResult
from optimize.engine.search_phase import SearchPhase
from optimize.objectives.evaluator import Evaluator
from optimize.objectives.loads import problems_at
from optimize.reporting.report import Row
from optimize.reporting.uncounted import reading
from optimize.study.workers import Turn


class Session:
    """Runs a search: trials, report, files.

    Args:
        prepared: Everything it needs, checked.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.prepared, self.study = prepared, prepared.study
        request = prepared.request
        evaluator = Evaluator(prepared.endpoint, request.budget, request.seed, request.samples)
        parts = problems_at(request.load, len(prepared.problems.report))
        self.searching = SearchPhase(prepared, evaluator, sum(parts.values()) * request.samples)
        self.reporting = ReportPhase(prepared, evaluator, parts)

    def run(self, command: str = "") -> SearchResult:
        """Search, report, tell; `command` is told where it is interrupted."""
        endpoint, state, searched = self.prepared.endpoint, self.prepared.state, len(self.prepared.problems.search)
        say(
            f"study {self.study.name} in {state.path} ({len(self.study.complete)} trials so far), "
            f"{endpoint.identity.model}, {searched} problems a trial, load {endpoint.load}"
        )
        if workers := self.study.workers:
            meet(workers, state)
            if self.prepared.allowance.limit is not None and self.scattered:
                say(f"--spend is kept by the workers in {state.path}; those elsewhere count for themselves")
        opened = reading(endpoint)
        began = time.monotonic()
        found = interruptible(self._work)
        if found is None:
            self.study.hurry()
            after = ""
            with suppress(StorageInternalError):  # it was being waited for: what it holds is as it was
                end_tracking(self.study.workers, self.prepared.tracking, "KILLED")
                after = f" after {len(self.study.complete)} trials"
            again = f"the same command goes on:\n  {command}" if command else "the same request goes on"
            print(f"\nstopped{after}; {again}")
            return self._ended("interrupted")
        if isinstance(found, Turn):
            self.prepared.tracking.leave()
            say(elsewhere(found, len(self.study.complete)))
            return self._ended("elsewhere")
        rows, ending, seconds = found
        self.prepared.tracking.settle({t.number for t in self.study.complete})
        report = Outcome(
            self.prepared,
            rows,
            levels=tuple(self.reporting.levels),
            opened=opened,
            ending=ending,
            searched=seconds,
            elapsed=time.monotonic() - began,
            scattered=self.scattered,
            command=command,
        ).tell()
        if workers:
            workers.reported(f"{platform.node()}:{self.prepared.state.path}")
        return replace(self._ended("reported"), report=report)

    def _ended(self, ending: Literal["reported", "interrupted", "elsewhere"]) -> SearchResult:
        return SearchResult(ending, self.study.name, self.prepared.state.path, self.prepared.request.budget)

    @property
    def scattered(self) -> bool:
        """Whether workers of the study have other directories, and so completions and a spend of their own."""
        return self.study.workers is not None and scattered(self.study.workers)

    async def _work(self, stop: asyncio.Event) -> tuple[list[Row], Ending, float] | Turn | None:
        began = time.monotonic()
        ending = await self.searching.run(stop)
        seconds = time.monotonic() - began
        if ending == "stopped":
            return None
        if ending == "exhausted":
            say(f"nothing new left to try after {len(self.study.complete)} different workflows")
        elif ending == "spent":
            say(
                f"{self.prepared.allowance.spent:,} tokens are spent and the rest of --spend is for the report: "
                f"the search ends after {len(self.study.complete)} trials"
            )
        elif ending == "timeout":
            say(f"time is over after {len(self.study.complete)} trials")
        if self.study.workers is not None:
            # Who came only to report (because a worker died that should have) waits for what becomes of the others.
            patient = ending in ("complete", "exhausted") and not self.searching.begun
            turn = await await_turn(self.study.workers, lambda: len(self.study.complete), stop, patient=patient)
            if turn is None or turn.whose != "mine":
                return turn
        rows = await self.reporting.run(stop)
        return None if rows is None else (rows, ending, seconds)
