"""Aggregates of results."""

from __future__ import annotations

import math

import pytest

from pdr_dspy.evaluation import Evaluation, ProblemResult
from pdr_dspy.evaluation.statistics import wilson
from pdr_dspy.ledger import Meters


def result(problem: str, sample: int = 0, correct: bool = True, failure: str | None = None, seconds: float = 1.0):
    outputs = None if failure else {"answer": 5, "problem": "shadow"}
    meters = Meters(seconds=seconds, calls=0 if failure == "TypeError" else 2, b_total=int(10 * seconds))
    return ProblemResult(problem, sample, correct, outputs, failure, "", meters)


def test_one_sample_a_problem() -> None:
    found = Evaluation((result("a"), result("b", correct=False), result("c", correct=False, failure="truncated")))
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.interval == wilson(1, 3)
    assert found.failures == {"truncated": 1}


def test_several_samples_count_a_problem_once() -> None:
    rows = [result("a", 0), result("a", 1), result("a", 2), result("b", 0, False)]
    found = Evaluation(tuple(rows))
    assert found.accuracy == 0.5 and found.shares == {"a": 1.0, "b": 0.0}
    assert found.accuracy in found.interval


def test_latency_and_means() -> None:
    rows = [result(str(i), seconds=i) for i in range(1, 5)]
    found = Evaluation((*rows, result("x", correct=False, failure="TypeError", seconds=0.0)))
    assert found.latency(0.5) == 2.5 and found.latency(1) == 4
    assert found.mean("b_total") == 20
    with pytest.raises(KeyError, match="b_seq"):
        found.mean("tokens")
    assert math.isnan(Evaluation((result("x", correct=False, failure="TypeError"),)).latency(0.5))


def test_summary_is_flat_numbers() -> None:
    found = Evaluation((result("a"), result("b", correct=False, failure="truncated")), wall_seconds=3)
    summary = found.summary()
    assert all(isinstance(value, float) for value in summary.values())
    assert summary["accuracy"] == 0.5 and summary["failed_truncated"] == 1 and summary["mean_calls"] == 2
    assert summary["accuracy_low"] < 0.5 < summary["accuracy_high"]


def test_rows_are_plain() -> None:
    row = result("a").as_row()
    assert (row["problem"], row["answer"], row["output_problem"], row["b_total"]) == ("a", "5", "shadow", 10)


def test_merging() -> None:
    one, two = Evaluation((result("a"),), 1), Evaluation((result("b", correct=False), result("a", 1)), 2)
    both = one.merged(two)
    assert (len(both.results), both.wall_seconds, both.accuracy) == (3, 3, 0.5)
    with pytest.raises(ValueError):
        one.merged(one)
    with pytest.raises(ValueError):
        Evaluation(())


def test_comparison_is_paired_on_common_problems() -> None:
    base = Evaluation(tuple(result(str(i), correct=False, seconds=2) for i in range(20)))
    better = Evaluation(tuple(result(str(i), correct=i % 2 == 0) for i in range(10, 30)))
    gain = better.compared_with(base)
    assert (gain.mean, gain.problems, gain.wins, gain.losses) == (0.5, 10, 5, 0) and gain.interval.low > 0
    assert better.compared_with(base, "seconds").mean == -1
    with pytest.raises(ValueError):
        base.compared_with(Evaluation((result("z"),)))
