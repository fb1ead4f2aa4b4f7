"""Measures workflows at an endpoint: on all problems, or raced.

Raced is: measured on growing parts of the problems, and given up where someone judges that enough was seen. Where the
endpoint lost calls, their problems are run again; where it is at fault for good, nothing is called a measurement.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from optimize.objectives.measurement import Measurement, measurement
from optimize.objectives.racing import Beaten, rungs
from pdr_dspy.budget import Budget
from pdr_dspy.data import Dataset
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import EndpointError
from pdr_dspy.evaluation import Evaluation, ProblemResult, evaluate
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Round, Workflow

OnResult = Callable[[ProblemResult], None]
Judge = Callable[[Evaluation], Awaitable[Beaten | None]]
"""Looks at what a workflow did so far and says whether it has seen enough."""

REPORT_SAMPLE = 1_000_000
"""Samples of the report are numbered from here, so that no draft of the search can serve it."""

AGAIN = 3
"""How often problems of which the endpoint lost a call are run again; what was answered comes from the store."""

LOST = 0.05
"""Share of problems spoilt for good above which the endpoint is at fault; below, a request that breaks the server.

A problem that has an answer in spite of a lost call does not count: its fallback is on record, and in the table.
"""

OWN_FAILURES = frozenset({"truncated", "empty", "unparseable", "context", "timeout", "cutoff", "budget", "grader"})
"""Kinds of failure that say something about the workflow (or the model); of others the endpoint is suspected."""


@dataclass(frozen=True)
class Evaluator:
    """Where workflows are measured: an endpoint, a budget, a seed."""

    endpoint: Endpoint
    budget: Budget
    seed: int
    samples: int

    async def measure(
        self,
        workflow: Workflow,
        data: Dataset,
        *,
        fresh: bool = False,
        load: int = 0,
        on_result: OnResult | None = None,
    ) -> Measurement:
        """Run a workflow on every problem.

        Args:
            workflow: What to run.
            data: The problems.
            fresh: Use samples that the search never drew.
            load: Of the fresh samples those that are drawn at this load alone, so that no answer recorded at another
                load stands in for one; 0: those of the load the search is made at.
            on_result: Called with each result as it comes.

        Raises:
            EndpointError: the server failed problems again and again, so that the numbers would not be the workflow's.
        """
        first_sample = (1 + load) * REPORT_SAMPLE if fresh else 0
        return measurement(await self._evaluate(workflow, data, first_sample, on_result))

    async def race(
        self, workflow: Workflow, data: Dataset, judge: Judge, *, on_result: OnResult | None = None
    ) -> Measurement:
        """Run a workflow on growing parts of the problems (`racing.rungs`), until it has seen all or is given up.

        Args:
            workflow: What to run.
            data: The problems; their order is the race's.
            judge: Asked after every part but the last.
            on_result: Called with each result as it comes.

        Raises:
            EndpointError: the server failed problems again and again, so that the numbers would not be the workflow's.
        """
        seen: Evaluation | None = None
        for rung in rungs(len(data)):
            part = data.with_problems(data.problems[len(seen.shares) if seen else 0 : rung])
            found = await self._evaluate(workflow, part, 0, on_result)
            seen = seen.merged(found) if seen else found
            if rung < len(data) and (beaten := await judge(seen)) is not None:
                return measurement(seen, str(beaten))
        assert seen is not None
        return measurement(seen)

    async def _evaluate(
        self, workflow: Workflow, data: Dataset, first_sample: int, on_result: OnResult | None
    ) -> Evaluation:
        program = PDR(data.signature, workflow, budget=self.budget, seed=self.seed, vote_on=data.graded_field)
        run = partial(evaluate, program, lm=self.endpoint.lm, samples=self.samples, first_sample=first_sample)
        evaluation = await run(data, on_result=on_result)
        for _ in range(AGAIN):
            lost = {result.problem for result in evaluation.results if incomplete(result)}
            if not lost:
                return evaluation
            again = await run(data.with_problems([p for p in data.problems if p.id in lost]))
            evaluation = evaluation.replaced(again)
        left = [result for result in evaluation.results if incomplete(result)]
        unanswered = [result for result in left if spoilt(result)]
        gone = len(unanswered) > LOST * len(evaluation.results)
        if gone or (left and not await self._generates(data)):
            left = unanswered or left
            raise EndpointError(
                "endpoint",
                f"{len(left)} of {len(evaluation.results)} problems failed {AGAIN + 1} times ({_why(left[0])})",
                "Look at the server; what was done is kept, and the same command goes on",
            )
        return evaluation

    async def _generates(self, data: Dataset) -> bool:
        """Whether the server, asked now for one draft that was never drawn, still writes.

        Else an outage that began after a workflow's drafts came would be measured as its fallbacks.
        """
        if not await asyncio.to_thread(self.endpoint.answers):
            return False
        program = PDR(data.signature, _ONE_DRAFT, budget=self.budget, seed=self.seed, vote_on=data.graded_field)
        never = _NEVER_DRAWN + random.SystemRandom().getrandbits(40)  # an answer kept of an earlier time says nothing
        one = data.with_problems(data.problems[:1])
        found = await evaluate(program, one, lm=self.endpoint.lm, samples=1, first_sample=never)
        return not any(incomplete(result) for result in found.results)


_ONE_DRAFT = Workflow(name="one-draft", rounds=(Round(width=1, thinking=32, answer=32),))
_NEVER_DRAWN = 1 << 40  # above every number of a sample


def spoilt(result: ProblemResult) -> bool:
    """Whether a problem got no answer because of the endpoint: it failed the problem, or a call that was needed."""
    if result.failure is None:
        return False
    return result.failure not in OWN_FAILURES or (result.outputs is None and _lost_a_call(result))


def incomplete(result: ProblemResult) -> bool:
    """Whether the endpoint took something from a result: it is spoilt, or one of its calls failed for good.

    Such a result may have an answer (of fewer drafts, or by a fallback). It is worth another try.
    """
    return spoilt(result) or _lost_a_call(result)


def _lost_a_call(result: ProblemResult) -> bool:
    last = {record.call: record for record in result.records}
    return any(record.outcome == "server" for record in last.values())


def _why(result: ProblemResult) -> str:
    if result.failure is not None and result.failure not in OWN_FAILURES:
        return f"{result.failure}: {result.detail}"
    return next(f"a call: {r.detail}" for r in reversed(result.records) if r.outcome == "server")
