"""Workflows measured on the problems that a search does not see, in its table: what `optimize/run.py` does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from optimize.engine.entries import over_loads
from optimize.engine.interrupts import interruptible
from optimize.engine.result import RunResult
from optimize.inputs.model import embedded_card, opened
from optimize.inputs.problems import load
from optimize.objectives.evaluator import Evaluator
from optimize.objectives.loads import LoadLevel, problems_at
from optimize.reporting.diagnosis import remarks
from optimize.reporting.progress import Progress
from optimize.reporting.report import Report, Row, mean_in_flight
from optimize.reporting.table import as_text
from optimize.reporting.uncounted import lost, reading
from optimize.request.run import RunRequest
from pdr_dspy.data import Dataset, split
from pdr_dspy.data.showing import described
from pdr_dspy.endpoint import Endpoint, FileStore
from pdr_dspy.evaluation import ProblemResult
from pdr_dspy.formats import DEFAULT
from pdr_dspy.workflow import Workflow, dump_workflow, load_workflow, plan, sampled, topology


def measure(asked: RunRequest | Mapping[str, Any]) -> RunResult:
    """Measure, and print the table.

    Args:
        asked: What is asked for; a mapping of its fields will do.

    Raises:
        InputError: something that was asked for can't be done.
    """
    request = RunRequest.of(asked)
    workflows = [_asked_in(request, _loaded(each)) for each in request.workflow]
    for workflow in workflows:
        plan(workflow, request.budget)
    whole = load(request, quiet=request.dry_run)
    data = split(whole)[1].head(request.problems)
    if request.dry_run:
        usual = DEFAULT if request.endpoint else embedded_card()[1].format or DEFAULT
        print(described(whole, style=workflows[0].prompts.format or usual))
        print(f"\nmeasured    {len(workflows)} workflows on {len(data)} problems of the report side")
        print("\nnothing was generated")
        return RunResult("planned")
    with opened(request, FileStore(request.runs / "run-store")) as endpoint:
        for workflow in workflows:
            plan(workflow, request.budget, context=endpoint.context)
        return _Run(request, endpoint, workflows, data).measured()


def _loaded(workflow: object) -> Workflow:
    return workflow if isinstance(workflow, Workflow) else load_workflow(str(workflow))


def _asked_in(request: RunRequest, workflow: Workflow) -> Workflow:
    if not request.format:
        return workflow
    prompts = workflow.prompts.model_copy(update={"format": request.format[0]})
    return workflow.model_copy(update={"prompts": prompts})


@dataclass(frozen=True)
class _Run:
    request: RunRequest
    endpoint: Endpoint
    workflows: Sequence[Workflow]
    data: Dataset

    def measured(self) -> RunResult:
        """At every load, then told."""
        request, before = self.request, reading(self.endpoint)
        usual = self.endpoint.identity.recommended.format or DEFAULT
        asked = [workflow.prompts.format or usual for workflow in self.workflows]
        evaluator = Evaluator(self.endpoint, request.budget, request.seed, request.samples)
        found: dict[int, list[Row]] = {}
        levels: list[LoadLevel] = []
        for load_, count in problems_at(request.load, len(self.data)).items():
            stats = self.endpoint.stats
            with self.endpoint.at_load(load_), self._progress(load_, count, asked) as progress:
                work = partial(self._at, evaluator=evaluator, load=load_, part=self.data.head(count), progress=progress)
                rows = interruptible(work)
            if rows is None:
                print("stopped; the same command goes on", file=sys.stderr)
                return RunResult("interrupted")
            found[load_] = rows
            levels.append(LoadLevel(load_, count, mean_in_flight(stats, self.endpoint.stats)))
        report = Report(
            study="run",
            model=self.endpoint.identity.model,
            budget=str(request.budget),
            data=request.data,
            load=self.endpoint.load,
            in_flight=levels[0].in_flight,
            objectives=request.objectives,
            search_problems=0,
            report_problems=len(self.data),
            samples=request.samples,
            rows=tuple(over_loads(found)),
            levels=tuple(reversed(levels)) if len(levels) > 1 else (),
        )
        print(f"\n{as_text(report)}")
        for line in remarks([(row.name, row.measured) for row in report.rows], asked):
            print(f"\n{line}")
        if line := lost(before, reading(self.endpoint)):
            print(f"\nnot in the table's totals: {line}")
        return RunResult("reported", report)

    async def _at(
        self, stop: asyncio.Event, *, evaluator: Evaluator, load: int, part: Dataset, progress: Progress
    ) -> list[Row] | None:
        """Every workflow at one load, one after the other; None if `stop` was set before the end."""
        rows = []
        stopping = asyncio.ensure_future(stop.wait())
        try:
            for number, workflow in enumerate(self.workflows):
                progress.started(number, workflow.name)

                def one_done(result: ProblemResult, number: int = number) -> None:
                    progress.problem(number, result.failure)

                measuring = evaluator.measure(workflow, part, fresh=True, load=load, on_result=one_done)
                task = asyncio.ensure_future(measuring)
                await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not task.done():
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    return None
                measured = task.result()
                progress.ended(number, measured)
                named = f", {workflow.prompts.format}" if workflow.prompts.format else ""
                title = f"{topology(workflow)}, {sampled(workflow.sampling)}{named}"
                rows.append(Row(workflow.name, title, dump_workflow(workflow), measured))
            return rows
        finally:
            stopping.cancel()

    def _progress(self, load: int, count: int, formats: Sequence[str]) -> Progress:
        return Progress(
            "run" if len(self.request.load) == 1 else f"run at load {load}",
            total=len(self.workflows),
            problems=count * self.request.samples,
            latency=self.request.latency,
            tokens=lambda: self.endpoint.stats.fresh_tokens,
            calls=lambda: self.endpoint.stats.failures,
            costs=self.request.objectives.costs,
            formats=formats,
        )
