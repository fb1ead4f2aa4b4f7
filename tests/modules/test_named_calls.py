"""What the calls of a run are called in a trace."""

from __future__ import annotations

from typing import Any

import dspy
import pytest
from dspy.utils.callback import BaseCallback

from pdr_dspy.budget import Budget
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.modules import PDR
from pdr_dspy.modules.named_calls import call_name
from pdr_dspy.workflow import Workflow, build_workflow, plan


class Spans(BaseCallback):
    """Takes down the modules that are called, as a tracer does, each below the one that called it."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.opened: list[tuple[str, str]] = []
        self.ended: list[str] = []
        self.inputs: dict[str, Any] = {}

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        """A module is called."""
        from dspy.utils.callback import ACTIVE_CALL_ID

        name = type(instance).__name__
        self.names[call_id] = name
        self.inputs[name] = inputs
        self.opened.append((self.names.get(ACTIVE_CALL_ID.get() or "", ""), name))

    def on_module_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        """It has ended."""
        self.ended.append(self.names[call_id])


def built(*rounds: dict[str, Any], **more: Any) -> Workflow:
    return build_workflow({"name": "w", "rounds": list(rounds), **more})


SUMMARY = {"kind": "summary", "tokens": 64}
NAMES: dict[str, tuple[Workflow, list[str]]] = {
    "long-cot": (built({"width": 1}), ["draft"]),
    "majority": (built({"width": 2}, close="vote"), ["draft 1 of 2", "draft 2 of 2"]),
    "closing-pick": (built({"width": 2}, close="pick"), ["draft 1 of 2", "draft 2 of 2", "pick"]),
    "pdr": (
        built({"width": 2, "distill": SUMMARY}, {"width": 1}),
        ["draft 1 of 2", "draft 2 of 2", "distill round 1", "refine"],
    ),
    "pdr-3": (
        built({"width": 1, "distill": SUMMARY}, {"width": 2, "distill": SUMMARY}, {"width": 1}),
        ["draft", "distill round 1", "refine round 2, 1 of 2", "refine round 2, 2 of 2", "distill round 2",
         "refine round 3"],
    ),
    "picks-apart": (
        built({"width": 3, "distill": {"kind": "top", "k": 1, "shared": False}}, {"width": 2}, close="vote"),
        ["draft 1 of 3", "draft 2 of 3", "draft 3 of 3", "pick round 1, 1 of 2", "pick round 1, 2 of 2",
         "refine 1 of 2", "refine 2 of 2"],
    ),
    "analysis": (
        built({"width": 1, "distill": {"kind": "analysis", "tokens": 64}}, {"width": 1}),
        ["draft", "analyse round 1", "refine"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_call_has_a_name_of_its_own(name: str) -> None:
    workflow, names = NAMES[name]
    steps = plan(workflow, Budget()).steps
    assert [call_name(workflow, step, index) for step in steps for index in range(step.width)] == names


def test_a_trace_has_the_names_between_the_program_and_its_predictors(endpoint: Endpoint) -> None:
    workflow, names = NAMES["pdr"]
    spans = Spans()
    program = PDR("question -> answer", workflow)
    with dspy.context(lm=endpoint.lm, callbacks=[spans]):
        program(question="what?")
    called = [name for above, name in spans.opened if above == "PDR"]
    assert sorted(called) == sorted(names)
    assert sorted(above for above, name in spans.opened if name == "Predict") == sorted(names)
    assert sorted(spans.ended) == sorted([*names, *["Predict"] * len(names), "PDR"])
    assert spans.inputs["refine"]["kwargs"]["workspace"].startswith("notes on 2 drafts")
    assert set(spans.inputs["draft 1 of 2"]["kwargs"]) == {"question"}


def test_what_optimisers_see_is_the_predictors_themselves(endpoint: Endpoint) -> None:
    program = PDR("question -> answer", NAMES["pdr"][0])
    with dspy.context(lm=endpoint.lm, callbacks=[Spans()], trace=[]):
        program(question="what?")
        traced = [predictor for predictor, _, _ in dspy.settings.trace]
    assert {id(each) for each in traced} == {id(each) for each in program.predictors()}
