"""One workflow measured on one set of problems: the two values the search weighs, and what a table says beside them.

Latency is the critical path of a problem over its own calls' recorded seconds (or the tokens along it): the median
over the problems, for one straggler of a busy server must not decide. Knows nothing of Optuna.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from optimize.front import Point
from pdr_dspy.budget import Budget
from pdr_dspy.data import Dataset
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import EndpointError
from pdr_dspy.evaluation import Evaluation, ProblemResult, evaluate
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Workflow

Latency = Literal["seconds", "tokens"]
OnResult = Callable[[ProblemResult], None]

REPORT_SAMPLE = 1_000_000
"""Samples of the report are numbered from here, so that no draft of the search can serve it."""

LOST = 0.5
"""Share of problems that failed for no fault of the workflow from which a measurement counts as spoilt."""

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
    """

    accuracy: float
    low: float
    high: float
    p50: float
    p95: float
    metrics: Mapping[str, float]
    failures: Mapping[str, int]
    count: int
    evaluation: Evaluation | None = field(default=None, repr=False, compare=False)

    def point(self, latency: Latency) -> Point:
        """The two values the search weighs."""
        return Point(self.accuracy, self.p50 if latency == "seconds" else self.metrics["mean_seq_generated"])

    def as_dict(self) -> dict[str, Any]:
        """Plain data, to be kept with a trial."""
        names = ("accuracy", "low", "high", "p50", "p95", "count")
        return {
            **{name: getattr(self, name) for name in names},
            "metrics": dict(self.metrics),
            "failures": dict(self.failures),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Measurement:
        """The measurement that `as_dict` made this of."""
        return cls(**plain)


def measurement(evaluation: Evaluation) -> Measurement:
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
        evaluation=evaluation,
    )


SUMS = ("total_generated", "fresh_generated", "replayed", "unreported", "calls")
"""Meters of which the sum over problems is kept; of all meters the mean is."""


@dataclass(frozen=True)
class Bench:
    """Where workflows are measured: an endpoint, a budget, a seed."""

    endpoint: Endpoint
    budget: Budget
    seed: int
    samples: int

    async def measure(
        self, workflow: Workflow, data: Dataset, *, fresh: bool = False, on_result: OnResult | None = None
    ) -> Measurement:
        """Run a workflow on every problem.

        Args:
            workflow: What to run.
            data: The problems.
            fresh: Use samples that the search never drew.
            on_result: Called with each result as it comes.

        Raises:
            EndpointError: so many problems were failed by the server that the numbers mean nothing.
        """
        program = PDR(data.signature, workflow, budget=self.budget, seed=self.seed)
        evaluation = await evaluate(
            program,
            data,
            lm=self.endpoint.lm,
            samples=self.samples,
            first_sample=REPORT_SAMPLE if fresh else 0,
            on_result=on_result,
        )
        lost = [r for r in evaluation.results if r.failure is not None and r.failure not in OWN_FAILURES]
        if len(lost) >= LOST * len(evaluation.results):
            raise EndpointError(
                "endpoint",
                f"{len(lost)} of {len(evaluation.results)} problems failed ({lost[0].failure}: {lost[0].detail})",
                "Look at the server; what was done is kept, and the same command goes on",
            )
        return measurement(evaluation)
