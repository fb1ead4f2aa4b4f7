"""One workflow measured on one set of problems: the values the search weighs, and what a table says beside them.

Latency is the critical path of a problem over its own calls' recorded seconds (or the tokens along it): the median
over the problems, for one straggler of a busy server must not decide. A workflow may be raced: measured on growing
parts of the problems, and given up where someone judges that enough was seen. Knows nothing of Optuna.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean
from typing import Any

from optimize.objectives.criteria import Cost, Objectives
from optimize.objectives.front import Point
from optimize.objectives.racing import Beaten, Scores, rungs
from optimize.objectives.stored import StoredMeasurement, checked
from optimize.objectives.troubles import Trouble, quoted, troubles
from pdr_dspy.budget import Budget
from pdr_dspy.data import Dataset
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import EndpointError, InputError
from pdr_dspy.evaluation import Evaluation, ProblemResult, evaluate
from pdr_dspy.ledger import Meters
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
class Measurement:
    """What a workflow did on a set of problems.

    Attributes:
        accuracy: Fraction of (problem, sample) pairs solved; failures count as wrong.
        low, high: Its 95 % interval.
        p50, p95: Seconds along the critical path.
        metrics: Everything numeric, as it goes to the tracker and the study.
        failures: Problems without an answer, by kind.
        count: Pairs measured.
        given_up: Why it was not measured on all problems, or "".
        troubles: What went wrong, problem by problem (`troubles.troubles`).
        quote: One text that did not help; "" where all were right, or nothing was written.
    """

    accuracy: float
    low: float
    high: float
    p50: float
    p95: float
    metrics: Mapping[str, float]
    failures: Mapping[str, int]
    count: int
    given_up: str = ""
    troubles: Sequence[Trouble] = field(default=(), repr=False)
    quote: str = ""
    evaluation: Evaluation | None = field(default=None, repr=False, compare=False)

    def point(self, objectives: Objectives) -> Point:
        """The values the search weighs."""
        return Point(self.accuracy, *(self._cost(cost, objectives) for cost in objectives.costs))

    def _cost(self, cost: Cost, objectives: Objectives) -> float:
        if objectives.unit(cost) == "seconds":
            return self.p50
        return self.metrics[f"mean_{_METERS[cost]}"]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, to be kept with a trial."""
        names = ("accuracy", "low", "high", "p50", "p95", "count", "given_up", "quote")
        return {
            **{name: getattr(self, name) for name in names},
            "metrics": dict(self.metrics),
            "failures": dict(self.failures),
            "troubles": list(self.troubles),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Measurement:
        """The measurement that `as_dict` made this of.

        Raises:
            InputError: it is none (a study's storage, or its report, was edited); names the field.
        """
        try:
            checked(StoredMeasurement, plain)
        except ValueError as error:
            mend = "Restore the study's storage, or give the search another name with --study"
            raise InputError("study", f"a measurement that was kept can't be read ({error})", mend) from None
        return cls(**{name: plain[name] for name in StoredMeasurement.model_fields if name in plain})


def scores(evaluation: Evaluation, objectives: Objectives) -> Scores:
    """An evaluation problem by problem, in the problems' order; several samples of one are averaged."""
    found: dict[str, list[Meters]] = {result.problem: [] for result in evaluation.results}
    for result in evaluation.results:
        if result.meters.calls:
            found[result.problem].append(result.meters)

    def values(cost: Cost) -> tuple[float | None, ...]:
        meter = "seconds" if objectives.unit(cost) == "seconds" else _METERS[cost]
        return tuple(fmean(getattr(m, meter) for m in samples) if samples else None for samples in found.values())

    return Scores(
        tuple(evaluation.shares[problem] for problem in found), tuple(values(cost) for cost in objectives.costs)
    )


_METERS: dict[Cost, str] = {"latency": "seq_generated", "total_tokens": "total_generated"}
"""Where a cost is counted in tokens: the meter that counts them, whether the calls were answered now or replayed."""


def measurement(evaluation: Evaluation, given_up: str = "") -> Measurement:
    """The measurement an evaluation amounts to."""
    rows = evaluation.results
    sums = {f"sum_{name}": float(sum(getattr(r.meters, name) for r in rows)) for name in SUMS}
    p50, p95 = evaluation.latency(0.5), evaluation.latency(0.95)
    none = math.isnan(p50)  # not one problem made a call
    return Measurement(
        accuracy=evaluation.accuracy,
        low=evaluation.interval.low,
        high=evaluation.interval.high,
        p50=0.0 if none else p50,
        p95=0.0 if none else p95,
        metrics={
            **{name: value for name, value in evaluation.summary().items() if not math.isnan(value)},
            "longest_path": float(max(r.meters.seq_generated for r in rows)),
            **sums,
        },
        failures=dict(evaluation.failures),
        count=len(rows),
        given_up=given_up,
        troubles=troubles(evaluation),
        quote=quoted(evaluation),
        evaluation=evaluation,
    )


SUMS = ("total_generated", "fresh_generated", "replayed", "unreported", "uncounted_at_most", "calls")
"""Meters of which the sum over problems is kept; of all meters the mean is."""


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
