"""Which results the endpoint spoilt, and which it only took something from."""

from __future__ import annotations

import pytest

from optimize.objectives.evaluator import incomplete, spoilt
from pdr_dspy.evaluation import ProblemResult
from pdr_dspy.ledger import CallRecord, Meters


def record(call: str, outcome: str, attempt: int = 0) -> CallRecord:
    return CallRecord(
        call=call, attempt=attempt, run="r", stage="distill", step=1, round=0, index=0, sample=0, problem="p",
        model="m", replica="", outcome=outcome, finish="", prompt_tokens=1, completion_tokens=0, cached_tokens=None,
        thinking_tokens=None, reported=True, max_tokens=8, requested_tokens=8, thinking_budget=None, seconds=0.1,
        first_token_seconds=None, started=0.0, replayed=False,
    )  # fmt: skip


LOST = (record("a", "ok"), record("b", "server"), record("b", "server", 1))
RETRIED = (record("a", "ok"), record("b", "server"), record("b", "ok", 1))


@pytest.mark.parametrize(
    ("failure", "answered", "records", "is_spoilt", "is_incomplete"),
    [
        (None, True, RETRIED, False, False),
        (None, True, LOST, False, True),  # it has an answer, by its fallback
        ("grader", True, LOST, False, True),
        ("server", False, LOST, True, True),
        ("truncated", False, LOST, True, True),  # a draft that was lost might have answered
        ("truncated", False, RETRIED, False, False),
        ("KeyError", False, (), True, True),
    ],
)
def test_only_a_problem_without_an_answer_is_spoilt(
    failure: str | None, answered: bool, records: tuple[CallRecord, ...], is_spoilt: bool, is_incomplete: bool
) -> None:
    outputs = {"answer": "1"} if answered else None
    result = ProblemResult("p", 0, False, outputs, failure, "", Meters(), records)
    assert (spoilt(result), incomplete(result)) == (is_spoilt, is_incomplete)
