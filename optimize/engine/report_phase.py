"""The second phase: the front and the baselines on problems the search never saw, at every load that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from optimize.engine.coordination import say
from optimize.engine.entries import Entry, entries, measure_all, over_loads
from optimize.engine.prepared import Prepared
from optimize.engine.progress import progress_of
from optimize.objectives.evaluator import Evaluator
from optimize.objectives.loads import LoadLevel, apart
from optimize.objectives.measurement import Measurement
from optimize.reporting.progress import Progress
from optimize.reporting.report import Row, mean_in_flight
from pdr_dspy.data import Dataset
from pdr_dspy.evaluation import ProblemResult


@dataclass
class ReportPhase:
    """The measurements of a report.

    Attributes:
        prepared: The search.
        evaluator: Measures workflows.
        parts: How many of the report's problems are measured at each load, the search's load first.
        levels: The loads that were measured at, with what was in flight.
    """

    prepared: Prepared
    evaluator: Evaluator
    parts: Mapping[int, int]
    levels: list[LoadLevel] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> list[Row] | None:
        """Measure what was chosen, first at the search's load, then at the others; None if `stop` was set before.

        Raises:
            EndpointError: the endpoint is gone.
        """
        prepared, endpoint = self.prepared, self.prepared.endpoint
        chosen = entries(prepared.study, prepared.space, prepared.request.sizes.front)
        prepared.allowance.free()
        found: dict[int, list[Row]] = {}
        for load, count in self.parts.items():
            data, before = prepared.problems.report.head(count), endpoint.stats
            at = "" if len(self.parts) == 1 else f" at load {load}"
            say(f"measuring {len(chosen)} workflows on {count} problems the search never saw{at}")
            with endpoint.at_load(load), progress_of(prepared, f"report{at}", len(chosen), count) as progress:
                rows = await self._at(load, data, chosen, progress, stop)
            if rows is None:
                return None
            found[load] = rows
            self.levels.append(LoadLevel(load, count, mean_in_flight(before, endpoint.stats)))
        return over_loads(found)

    async def _at(
        self, load: int, data: Dataset, chosen: list[Entry], progress: Progress, stop: asyncio.Event
    ) -> list[Row] | None:
        own = 0 if load == max(self.parts) else load

        async def measure(number: int, entry: Entry) -> Measurement:
            def on_result(result: ProblemResult) -> None:
                progress.problem(number, result.failure)

            workflow = entry.candidate.workflow
            return await self.evaluator.measure(workflow, data, fresh=True, load=own, on_result=on_result)

        async def record(entry: Entry, measured: Measurement) -> None:
            await self.prepared.tracking.reported(entry.run, apart(measured, own) if own else measured)

        return await measure_all(chosen, measure, record, progress, stop, jobs=self.prepared.request.jobs)
