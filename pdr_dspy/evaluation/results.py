"""What an evaluation found: a result for each (problem, sample), and what follows from all of them.

Values; nothing here runs a program. A failed problem is a wrong problem: it is in every aggregate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from statistics import fmean
from typing import Any

from pdr_dspy.evaluation.runs import shown
from pdr_dspy.evaluation.statistics import Difference, Interval, mean_share, paired_difference, quantile
from pdr_dspy.formats import MARKS
from pdr_dspy.ledger import CallRecord, Meters
from pdr_dspy.modules.records import FailedCall, RunRecord

METERS = tuple(f.name for f in fields(Meters))
"""Names of the meters an evaluation has means of."""

_SHOWN = 300  # characters of a failed call's text in a row of results; `failed_rows` has more


@dataclass(frozen=True)
class ProblemResult:
    """One sample of one problem.

    Attributes:
        problem: The problem's id.
        sample: Number of the independent repetition (from 0).
        correct: Whether the grader said so. A failure is never correct.
        outputs: The program's output fields, or None where it gave none.
        failure: What went wrong, as a kind to count by (`truncated`, `server`, `grader`, an exception's name), or None.
        detail: The same in words.
        meters: Sums over `records`.
        records: Every call made, in the order they ended.
        wall_seconds: From start to end, waiting for the client's own limiter included; not a latency to report.
        failed_calls: Calls of its runs that gave nothing usable, with what they wrote, also where the run went on.
        reads: How many drafts came, by how each was read (`Draft.read`).
    """

    problem: str
    sample: int
    correct: bool
    outputs: dict[str, Any] | None
    failure: str | None
    detail: str
    meters: Meters
    records: tuple[CallRecord, ...] = field(default=(), repr=False)
    wall_seconds: float = 0.0
    failed_calls: tuple[FailedCall, ...] = field(default=(), repr=False)
    reads: Mapping[str, int] = field(default_factory=dict)

    @property
    def drafts(self) -> int:
        """How many drafts and refinements came."""
        return sum(self.reads.values())

    @property
    def lenient(self) -> int:
        """How many of them were not written as their format asks for."""
        return self.drafts - self.reads.get(MARKS, 0)

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """What was used in the place of failed calls."""
        return tuple(failed.fallback for failed in self.failed_calls if failed.fallback)

    def as_row(self) -> dict[str, Any]:
        """A row for a table: plain values, no call or run records. A field named like a column gets `output_`."""
        row: dict[str, Any] = {
            "problem": self.problem,
            "sample": self.sample,
            "correct": self.correct,
            "failure": self.failure or "",
            "detail": self.detail,
            "failed_calls": "\n".join(shown(failed, _SHOWN) for failed in self.failed_calls),
            "fallbacks": ", ".join(self.fallbacks),
            "read": ", ".join(f"{how} {count}" for how, count in self.reads.items()),
            **{name: getattr(self.meters, name) for name in METERS},
            "wall_seconds": self.wall_seconds,
        }
        for name, value in (self.outputs or {}).items():
            if not isinstance(value, RunRecord):
                row[f"output_{name}" if name in row else name] = str(value)
        return row


@dataclass(frozen=True)
class Evaluation:
    """All results of one program on one data set, in the order (problem, sample).

    Attributes:
        results: One for each (problem, sample); never empty.
        wall_seconds: How long the evaluation took.
    """

    results: tuple[ProblemResult, ...]
    wall_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not self.results:
            raise ValueError("an evaluation has at least one result")
        if len({(r.problem, r.sample) for r in self.results}) < len(self.results):
            raise ValueError("an evaluation has one result for each (problem, sample)")

    @cached_property
    def shares(self) -> Mapping[str, float]:
        """Problem id to the share of its samples that are correct."""
        grades: dict[str, list[float]] = {}
        for result in self.results:
            grades.setdefault(result.problem, []).append(float(result.correct))
        return {problem: fmean(values) for problem, values in grades.items()}

    @property
    def accuracy(self) -> float:
        """Mean over problems of the share of correct samples (0 to 1)."""
        return fmean(self.shares.values())

    @cached_property
    def interval(self) -> Interval:
        """95 % interval of `accuracy`: Wilson's, with the effective number of trials where a problem has several."""
        return mean_share(list(self.shares.values()))

    @property
    def failures(self) -> Counter[str]:
        """How many results failed, by kind."""
        return Counter(r.failure for r in self.results if r.failure is not None)

    @property
    def read_leniently(self) -> float:
        """Share (0 to 1) of the drafts that were not written as their format asks for; 0 where none came."""
        return sum(r.lenient for r in self.results) / max(1, sum(r.drafts for r in self.results))

    @property
    def fallbacks(self) -> float:
        """Share (0 to 1) of the results that something else than planned was used for."""
        return fmean(bool(r.fallbacks) for r in self.results)

    def latency(self, q: float) -> float:
        """The `q`-quantile (0 to 1) of seconds along the critical path, over results that made a call (NaN: none)."""
        return quantile([r.meters.seconds for r in self.results if r.meters.calls], q)

    def mean(self, meter: str) -> float:
        """Mean of a meter (see `METERS`) over all results.

        Raises:
            KeyError: no such meter.
        """
        if meter not in METERS:
            raise KeyError(f"there is no meter {meter!r}; there are {', '.join(METERS)}")
        return fmean(getattr(r.meters, meter) for r in self.results)

    def summary(self) -> dict[str, float]:
        """Flat numbers, as a tracker wants them."""
        return {
            "accuracy": self.accuracy,
            "accuracy_low": self.interval.low,
            "accuracy_high": self.interval.high,
            "problems": float(len(self.shares)),
            "results": float(len(self.results)),
            "failed": float(self.failures.total()),
            **{f"failed_{kind}": float(count) for kind, count in sorted(self.failures.items())},
            "failed_calls": float(sum(len(r.failed_calls) for r in self.results)),
            "fallbacks": self.fallbacks,
            "drafts": float(sum(r.drafts for r in self.results)),
            "read_leniently": self.read_leniently,
            "latency_p50": self.latency(0.5),
            "latency_p95": self.latency(0.95),
            **{f"mean_{name}": self.mean(name) for name in METERS},
            "wall_seconds": float(self.wall_seconds),
        }

    def rows(self) -> list[dict[str, Any]]:
        """The results as rows of a table."""
        return [result.as_row() for result in self.results]

    def failed_rows(self) -> list[dict[str, Any]]:
        """Every failed call as a row of a table, with what it wrote."""
        return [
            {"problem": result.problem, "sample": result.sample, **asdict(failed)}
            for result in self.results
            for failed in result.failed_calls
        ]

    def merged(self, *others: Evaluation) -> Evaluation:
        """This evaluation and others of the same program, on other problems or samples, as one.

        Raises:
            ValueError: a (problem, sample) is in two of them.
        """
        parts = (self, *others)
        results: Iterable[ProblemResult] = (result for part in parts for result in part.results)
        return Evaluation(tuple(results), sum(part.wall_seconds for part in parts))

    def replaced(self, newer: Evaluation) -> Evaluation:
        """This evaluation with the results of another one of the same program in the place of its own."""
        found = {(result.problem, result.sample): result for result in newer.results}
        results = tuple(found.get((result.problem, result.sample), result) for result in self.results)
        return Evaluation(results, self.wall_seconds + newer.wall_seconds)

    def compared_with(self, other: Evaluation, meter: str | None = None) -> Difference:
        """This minus `other` on the problems that both have, paired, with a 95 % interval.

        Args:
            other: Another program's evaluation.
            meter: A meter to compare; default: accuracy.

        Raises:
            ValueError: no problem in common.
            KeyError: no such meter.
        """
        mine, theirs = self._by_problem(meter), other._by_problem(meter)
        common = sorted(mine.keys() & theirs.keys())
        if not common:
            raise ValueError("the two evaluations have no problem in common")
        return paired_difference([theirs[p] for p in common], [mine[p] for p in common], shares=meter is None)

    def _by_problem(self, meter: str | None) -> Mapping[str, float]:
        if meter is None:
            return self.shares
        if meter not in METERS:
            raise KeyError(f"there is no meter {meter!r}; there are {', '.join(METERS)}")
        values: dict[str, list[float]] = {}
        for result in self.results:
            values.setdefault(result.problem, []).append(float(getattr(result.meters, meter)))
        return {problem: fmean(v) for problem, v in values.items()}
