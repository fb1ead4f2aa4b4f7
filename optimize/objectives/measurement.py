"""What a workflow did on one set of problems: the values the search weighs, and what a table says beside them.

Latency is the critical path of a problem over its own calls' recorded seconds (or the tokens along it): the median
over the problems, for one straggler of a busy server must not decide. Pure; knows nothing of Optuna.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from optimize.objectives.criteria import Cost, Objectives
from optimize.objectives.front import Point
from optimize.objectives.racing import Scores
from optimize.objectives.stored import StoredMeasurement, checked
from optimize.objectives.troubles import Trouble, quoted, troubles
from pdr_dspy.errors import InputError
from pdr_dspy.evaluation import Evaluation
from pdr_dspy.ledger import Meters


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
