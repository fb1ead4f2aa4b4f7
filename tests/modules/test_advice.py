"""`dspy.Refine` and `dspy.BestOfN` around a `PDR`: the advice reaches its stages, in the workflow's format."""

from __future__ import annotations

import json
from typing import Any

import dspy
import pytest
from fakes.stages import by_stage, fields, stage_of
from fakes.vllm import Call, FakeVLLM

from pdr_dspy.endpoint import Endpoint
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Prompts, Round, Summary, Workflow

SMALL = Workflow(name="small", rounds=(Round(width=2, distill=Summary(tokens=64)), Round(width=1)))
ADVICE = {"draft": "Mind the sign.", "refine": "Check the units.", "distill": "N/A"}


def _is_feedback(call: Call) -> bool:
    return "program_trajectory" in call.prompt


class Within(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = PDR("problem -> answer", SMALL, budget="tokens=2k")

    def forward(self, problem: str) -> dspy.Prediction:
        return self.inner(problem=problem)


@pytest.mark.parametrize("adapter", [None, dspy.ChatAdapter(), dspy.JSONAdapter()], ids=["none", "chat", "json"])
@pytest.mark.parametrize("form", [None, "markers"])
def test_the_advice_reaches_the_drafts_and_the_refinements(
    form: Any, adapter: Any, model: FakeVLLM, endpoint: Endpoint
) -> None:
    runs: list[list[Call]] = [[]]

    def answer(call: Call) -> str:
        if _is_feedback(call):
            runs.append([])
            said = {"discussion": "d", "advice": json.dumps(ADVICE)}
            if isinstance(adapter, dspy.JSONAdapter):
                return json.dumps({"discussion": "d", "advice": ADVICE})
            return fields(**said)
        runs[-1].append(call)
        if isinstance(adapter, dspy.JSONAdapter) and form is None:
            return json.dumps({"solution": "s", "answer": "1", "workspace": "w"})
        return fields(solution="s", answer="1", workspace="w")

    model.answer = answer
    workflow = SMALL.model_copy(update={"prompts": Prompts(format=form)})
    program = PDR("problem -> answer", workflow, budget="tokens=2k")
    with dspy.context(lm=endpoint.lm, adapter=adapter):
        found = dspy.Refine(program, N=2, reward_fn=lambda args, pred: 0.0, threshold=1.0)(problem="q")
    assert found.answer == "1"
    first, second = runs
    assert not any(text in call.prompt for call in first for text in ADVICE.values())
    assert len(first) == len(second) == 4
    drafts, (distill, refine) = second[:2], second[2:]
    assert all("Mind the sign." in call.prompt for call in drafts)
    assert "Check the units." in refine.prompt
    assert "hint" not in distill.prompt.casefold()
    # The format does not change between the attempts.
    assert ("[[ ##" in first[0].prompt) == ("[[ ##" in drafts[0].prompt)


def test_the_advice_reaches_a_program_within_another(model: FakeVLLM, endpoint: Endpoint) -> None:
    def answer(call: Call) -> str:
        if _is_feedback(call):
            return fields(discussion="d", advice=json.dumps({"inner.draft": "Mind the sign."}))
        return by_stage(call)

    model.answer = answer
    with dspy.context(lm=endpoint.lm):
        dspy.Refine(Within(), N=2, reward_fn=lambda args, pred: 0.0, threshold=1.0)(problem="q")
    assert sum("Mind the sign." in c.prompt and not _is_feedback(c) for c in model.calls) == 2


def test_the_best_of_several_are_fresh_draws(model: FakeVLLM, endpoint: Endpoint) -> None:
    program = PDR("problem -> answer", SMALL, budget="tokens=2k")
    with dspy.context(lm=endpoint.lm):
        dspy.BestOfN(program, N=3, reward_fn=lambda args, pred: 0.0, threshold=1.0)(problem="q")
    assert len({c.body["seed"] for c in model.calls if stage_of(c) == "draft"}) == 6
