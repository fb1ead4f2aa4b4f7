"""The first phase: trials are suggested, measured, raced, tracked and told, until there are enough."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

from optimize.engine.entries import entries
from optimize.engine.loop import Ending, Search
from optimize.engine.prepared import Prepared
from optimize.engine.progress import progress_of
from optimize.engine.spending import reporting
from optimize.objectives.evaluator import Evaluator
from optimize.objectives.measurement import Measurement, scores
from optimize.objectives.racing import Beaten, Scores, beaten, rungs
from optimize.space.title import title
from optimize.study.trials import TRACKED, Suggestion, baseline_of
from pdr_dspy.evaluation import Evaluation, ProblemResult


@dataclass
class SearchPhase:
    """The trials of one process.

    Attributes:
        prepared: The search.
        evaluator: Measures workflows.
        reported: Runs of a workflow in the report, over all its loads: what they take is kept back of the allowance.
        begun: How many trials were started here.
    """

    prepared: Prepared
    evaluator: Evaluator
    reported: int
    begun: int = 0

    async def run(self, stop: asyncio.Event) -> Ending:
        """Search until there are enough trials, time or tokens are used up, or `stop` is set.

        Raises:
            EndpointError: the endpoint is gone.
        """
        prepared, study, request = self.prepared, self.prepared.study, self.prepared.request
        started: dict[int, float] = {}
        with progress_of(
            prepared,
            "search",
            request.sizes.trials,
            len(prepared.problems.search),
            done=len(study.complete),
            seconds=request.sizes.timeout,
            keeps=lambda point: not study.limits.excess(point),
            formats=prepared.space.formats,
        ) as progress:
            for trial in study.feasible:
                shown = title(prepared.space.candidate(trial.params), baseline_of(trial))
                progress.seen(shown, study.point(trial))

            async def measure(suggestion: Suggestion) -> Measurement:
                started[suggestion.number] = time.time()
                await search.ask(self._keep_back)  # earlier trials have been told by now
                workflow, data = suggestion.candidate.workflow, prepared.problems.search

                def on_result(result: ProblemResult) -> None:
                    progress.problem(suggestion.number, result.failure)

                # Baselines are in the report whatever they do.
                if suggestion.baseline or not request.racing:
                    return await self.evaluator.measure(workflow, data, on_result=on_result)
                return await self.evaluator.race(workflow, data, judge, on_result=on_result)

            async def judge(seen: Evaluation) -> Beaten | None:
                return self._judge(seen, await search.ask(lambda: study.rivals))

            async def record(suggestion: Suggestion, measured: Measurement) -> None:
                number, candidate, baseline = suggestion.number, suggestion.candidate, suggestion.baseline
                run = await prepared.tracking.trial(
                    number, candidate, title(candidate, baseline), measured, started[number], baseline=baseline
                )
                await search.ask(partial(study.attach, suggestion, TRACKED, run))
                # Other workers have done some of them.
                progress.done = await search.ask(lambda: len(study.complete))

            sizes = request.sizes
            search = Search(study, measure, record, progress, sizes.trials, jobs=request.jobs, seconds=sizes.timeout)
            try:
                return await search.run(stop)
            finally:
                self.begun = search.begun

    def _keep_back(self) -> None:
        """Leave of the allowance what the report will take, as far as the search can tell.

        Called before trials start: until the next one does, no more than `--jobs` are not told and may join the front.
        """
        allowance, request = self.prepared.allowance, self.prepared.request
        if allowance.limit is None:
            return
        chosen = entries(self.prepared.study, self.prepared.space, request.sizes.front)
        allowance.kept = round(reporting(chosen, self.reported, request.jobs))

    def _judge(self, seen: Evaluation, rivals: dict[int, Scores]) -> Beaten | None:
        objectives = self.prepared.study.objectives
        looks = len(rungs(len(self.prepared.problems.search))) - 1
        return beaten(scores(seen, objectives), rivals, middles=objectives.middles, looks=looks)
