"""What failed and how drafts were read is with every result, whether its problem was solved or not."""

from __future__ import annotations

from typing import Any

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.budget import Budget
from pdr_dspy.data import Dataset, Problem, make_grader
from pdr_dspy.errors import Unparseable, WorkflowFailed
from pdr_dspy.evaluation import Evaluation, evaluate
from pdr_dspy.evaluation.runs import TEXT, cut, failed_calls
from pdr_dspy.modules.records import Draft, FailedCall, RoundRecord, RunRecord
from pdr_dspy.workflow import Round, Workflow, plan

SIGNATURE = dspy.Signature("problem -> answer")
PLAN = plan(Workflow(name="w", rounds=(Round(width=3),), close="vote"), Budget())


def run(*failed: FailedCall, reads: tuple[str, ...] = ("marks",)) -> RunRecord:
    drafts = tuple(Draft(i, "s", {"answer": "1"}, how) for i, how in enumerate(reads))
    return RunRecord(PLAN, (RoundRecord(("",) * 3, drafts, failed),), failed, ())


class Scripted(dspy.Module):
    """Returns or raises what it is told for each problem."""

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self.answers = answers

    async def aforward(self, problem: str) -> dspy.Prediction:
        answer = self.answers[int(problem)]
        if isinstance(answer, Exception):
            raise answer
        return dspy.Prediction(answer="1", run=answer)


async def evaluated(*answers: Any) -> Evaluation:
    problems = tuple(Problem(f"p{i}", {"problem": str(i)}, "1") for i in range(len(answers)))
    return await evaluate(Scripted(*answers), Dataset("d", SIGNATURE, problems, make_grader("exact")))


PROSE = FailedCall("draft", 1, "unparseable", "no 'answer' in it", "I think " * 1000)
SUMMARY = FailedCall("distill", 0, "truncated", "cap reached", "so far", "unmarked")


async def test_failed_calls_and_how_drafts_were_read_are_kept_of_solved_and_of_failed_problems() -> None:
    lost = run(PROSE, reads=())
    found = await evaluated(
        run(), run(PROSE, SUMMARY, reads=("marks", "boxed")), WorkflowFailed("round 1", Unparseable("no"), lost)
    )
    plain, mended, failed = found.results
    assert plain.correct and plain.failed_calls == () and plain.reads == {"marks": 1}
    assert mended.correct and [f.kind for f in mended.failed_calls] == ["unparseable", "truncated"]
    assert mended.fallbacks == ("unmarked",) and (mended.drafts, mended.lenient) == (2, 1)
    assert failed.failure == "unparseable" and [f.detail for f in failed.failed_calls] == ["no 'answer' in it"]
    assert found.read_leniently == pytest.approx(1 / 3) and found.fallbacks == pytest.approx(1 / 3)
    numbers = found.summary()
    assert (numbers["read_leniently"], numbers["fallbacks"]) == (found.read_leniently, found.fallbacks)
    assert (numbers["failed_calls"], numbers["drafts"], numbers["failed"]) == (3, 3, 1)


async def test_rows_quote_what_was_written_and_the_table_of_failed_calls_has_more_of_it() -> None:
    found = await evaluated(run(PROSE, SUMMARY, reads=("marks", "boxed")))
    (row,) = found.rows()
    first, second = row["failed_calls"].splitlines()
    assert first.startswith("draft 1: unparseable (no 'answer' in it), wrote 'I think I think") and len(first) < 500
    assert second == "distill 0: truncated (cap reached), wrote 'so far', used in its place: unmarked"
    assert row["fallbacks"] == "unmarked" and row["read"] == "marks 1, boxed 1"
    whole = found.failed_rows()[0]
    assert whole["problem"] == "p0" and whole["kind"] == "unparseable" and whole["stage"] == "draft"
    assert TEXT <= len(whole["text"]) < TEXT + 50 and whole["text"].endswith("[cut, 8000 characters]")


@pytest.mark.parametrize(
    "error",
    [
        Unparseable("no 'answer' in it", "seventeen"),
        AdapterParseError("ChatAdapter", SIGNATURE, "seventeen", "no 'answer' in it"),
    ],
)
async def test_what_any_program_raises_with_a_text_is_a_failed_call(error: Exception) -> None:
    found = await evaluated(error, ZeroDivisionError("division by zero"))
    (call,) = found.results[0].failed_calls
    assert (call.kind, call.text) == ("unparseable", "seventeen")
    assert found.results[1].failed_calls == ()  # no call of the model's


@given(st.text(), st.integers(0, 50))
def test_a_text_is_cut_visibly(text: str, length: int) -> None:
    short = cut(text, length)
    assert short.startswith(text[:length]) and (short == text or short.endswith(f"{len(text)} characters]"))


def test_a_workflow_that_failed_without_a_record_is_told_by_its_cause() -> None:
    (call,) = failed_calls((), WorkflowFailed("draft", Unparseable("no", "text")))
    assert (call.kind, call.text) == ("unparseable", "text")
