"""What went wrong is kept with a trial, problem by problem, cut to what a storage bears, and shown on the page."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_support import measured

from optimize.engine.tracking import _tables
from optimize.objectives.measurement import Measurement, measurement
from optimize.objectives.troubles import ALL, LONGEST, SHORTEST, quoted, troubles
from optimize.reporting.problem_failures import problem_failures
from pdr_dspy.evaluation import Evaluation, ProblemResult
from pdr_dspy.ledger import Meters
from pdr_dspy.modules.records import FailedCall

PROSE = FailedCall("draft", 1, "unparseable", "no 'answer' in it", "I <think>\nso", "")
SUMMARY = FailedCall("distill", 0, "truncated", "cap reached", "so far", "unmarked")


def result(
    problem: str, *calls: FailedCall, right: bool = False, failure: str | None = None, **reads: int
) -> ProblemResult:
    outputs = None if failure else {"answer": "5", "reasoning": "because"}
    detail = "round 1: no draft left" if failure else ""
    return ProblemResult(
        problem, 0, right, outputs, failure, detail, Meters(calls=2), failed_calls=calls, reads=reads or {"marks": 1}
    )


FOUND = Evaluation(
    (
        result("fine", right=True),
        result("wrong"),
        result("mended", PROSE, PROSE, SUMMARY, right=True, marks=1, boxed=2),
        result("lost", PROSE, failure="unparseable"),
    )
)


def test_what_failed_fell_back_or_was_read_leniently_is_kept_by_problem() -> None:
    mended, lost = troubles(FOUND)
    assert (mended["problem"], mended["failure"], mended["correct"]) == ("mended", "", True)
    assert (mended["drafts"], mended["read"]) == (3, {"boxed": 2})
    assert [(c["stage"], c["kind"], c["count"], c["fallback"]) for c in mended["calls"]] == [
        ("draft", "unparseable", 2, ""),
        ("distill", "truncated", 1, "unmarked"),
    ]
    assert (lost["problem"], lost["failure"], lost["detail"]) == ("lost", "unparseable", "round 1: no draft left")
    assert lost["calls"][0]["text"] == "I <think> so"


def test_a_measurement_with_its_troubles_survives_a_storage_of_json() -> None:
    made = measurement(FOUND)
    again = Measurement.from_dict(json.loads(json.dumps(made.as_dict())))
    assert list(again.troubles) == list(made.troubles) and again.quote == made.quote == "I <think> so"
    assert again.metrics["read_leniently"] == pytest.approx(2 / 6) and again.metrics["fallbacks"] == 0.25
    old = {name: value for name, value in made.as_dict().items() if name not in ("troubles", "quote")}
    assert Measurement.from_dict(old).troubles == ()


@given(st.integers(1, 700), st.integers(1, 900))
def test_texts_are_the_shorter_the_more_there_are(count: int, length: int) -> None:
    call = FailedCall("draft", 0, "unparseable", "d" * length, "t" * length)
    found = troubles(Evaluation(tuple(result(str(i), call, failure="unparseable") for i in range(count))))
    texts = [entry["calls"][0]["text"] for entry in found]
    assert len(found) == count and all(text.startswith("t" * min(length, SHORTEST)) for text in texts)
    assert max(map(len, texts)) <= LONGEST + 30
    assert sum(len(text) for text in texts) <= max(ALL, SHORTEST * count) + 30 * count


def test_a_quote_is_what_a_failed_call_wrote_else_a_wrong_answer() -> None:
    assert quoted(Evaluation((result("a"), result("b", PROSE, failure="unparseable")))) == "I <think> so"
    assert quoted(Evaluation((result("a"),))) == "answer: 5"
    assert quoted(Evaluation((result("a", right=True),))) == ""
    assert quoted(Evaluation((result("a", failure="empty"),))) == ""


def test_the_page_shows_each_problem_with_its_calls_and_nothing_where_nothing_went_wrong() -> None:
    page = problem_failures(
        [("t3: 8-1", measurement(FOUND).as_dict()), ("t4: 1", measured(0.5, 1.0).as_dict()), ("t5", {})]
    )
    assert "t3: 8-1: problems failed: unparseable 1; problems with a fallback: 1; drafts read leniently: 2" in page
    for words in ("draft: unparseable x2", "no &#x27;answer&#x27; in it", "I &lt;think&gt; so", "unmarked", "boxed 2"):
        assert words in page, words
    assert "t4" not in page and "<think>" not in page
    assert problem_failures([("t4: 1", measured(0.5, 1.0).as_dict())]) == ""


def test_the_tracker_has_a_table_of_problems_and_one_of_failed_calls() -> None:
    tables = _tables(FOUND)
    assert [row["problem"] for row in tables["problems"]] == ["fine", "wrong", "mended", "lost"]
    assert "wrote 'I <think> so'" in tables["problems"][3]["failed_calls"]
    assert [(row["problem"], row["text"]) for row in tables["failed_calls"]][-1] == ("lost", "I <think>\nso")
    assert "failed_calls" not in _tables(Evaluation((result("fine", right=True),))) and _tables(None) == {}
