"""What optimisers get to see of a run: no draft that gives another answer than the run."""

from __future__ import annotations

from typing import Any

import dspy
import pytest
from fakes.stages import fields, stage_of
from fakes.vllm import Call, FakeVLLM

from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Round, Summary, Workflow

WIDE = Workflow(name="wide", rounds=(Round(width=4, distill=Summary(tokens=64)), Round(width=1)))


def program() -> PDR:
    return PDR("problem -> answer", WIDE, budget="tokens=2k")


def answers(*drafts: str, last: str = "42") -> Any:
    def answer(call: Call) -> str:
        match stage_of(call):
            case "draft":
                return fields(solution="s", answer=drafts[call.body["seed"] % len(drafts)])
            case "distill":
                return fields(workspace="w")
        return fields(solution="s", answer=last)

    return answer


def traced(endpoint: Endpoint) -> list[tuple[Any, Any, Any]]:
    trace: list[tuple[Any, Any, Any]] = []
    with dspy.context(lm=endpoint.lm, trace=trace):
        program()(problem="q")
    return trace


def test_drafts_with_another_answer_are_no_part_of_the_trace(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = answers("7")
    assert [list(out.keys()) for _, _, out in traced(endpoint)] == [["workspace"], ["solution", "answer"]]


def test_the_same_answer_in_another_spelling_is_kept(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = answers("42.0", "$42$")
    assert len(traced(endpoint)) == 6


def test_who_grades_each_draft_sees_all(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = answers("7", "42")
    with tagged(CallTag(problem="p1")):
        assert len(traced(endpoint)) == 6


def test_a_run_that_fails_leaves_what_it_had(model: FakeVLLM, endpoint: Endpoint) -> None:
    def answer(call: Call) -> str:
        return fields(solution="s", answer="1") if stage_of(call) == "draft" else fields()

    model.answer = answer
    workflow = Workflow(name="off", rounds=WIDE.rounds, fallback="off")
    trace: list[Any] = []
    with dspy.context(lm=endpoint.lm, trace=trace), pytest.raises(WorkflowFailed):
        PDR("problem -> answer", workflow, budget="tokens=2k")(problem="q")
    assert [out.get("answer") for _, _, out in trace][:4] == ["1"] * 4


def test_bootstrapped_demonstrations_are_right(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = answers("WRONG", "42")
    examples = [dspy.Example(problem=f"q{n}", answer="42").with_inputs("problem") for n in range(4)]
    optimiser = dspy.BootstrapFewShot(
        metric=lambda e, p, trace=None: e.answer == p.answer, max_bootstrapped_demos=4, max_labeled_demos=0
    )
    with dspy.context(lm=endpoint.lm):
        compiled = optimiser.compile(program(), trainset=examples)
    shown = [demo["answer"] for demo in compiled.draft.demos]
    assert set(shown) == {"42"}
    assert len(compiled.refine.demos) == 4
