"""What is printed of programs, workflows, budgets and models: a line each, without keys and long texts."""

from __future__ import annotations

from typing import Any

import dspy
import pytest
from fakes.vllm import FakeVLLM

from pdr_dspy.budget import parse_budget
from pdr_dspy.endpoint import Endpoint, EndpointLM, EndpointSettings, Secret
from pdr_dspy.modules import PDR, SequentialRefinement
from pdr_dspy.workflow import build_workflow

KEY = "canary-key-0123456789abcdef"
LONG = "Take the notes apart first. " * 500
WORKFLOW = build_workflow(
    {
        "name": "own",
        "rounds": [{"width": 8, "distill": {"kind": "summary"}}] * 3 + [{"width": 1}],
        "prompts": {"refine": {"id": "mine", "text": LONG}},
    }
)
PROGRAM = PDR(dspy.Signature("question, image: dspy.Image -> answer, label", LONG), WORKFLOW, budget="tokens=16k")
SAID: dict[str, tuple[Any, str]] = {
    "program": (
        PROGRAM,
        "PDR(question, image -> answer, label; the workflow 'own' (8-8-8-1 summary@1024), budget tokens=16k)",
    ),
    "refinement": (
        SequentialRefinement("question -> answer", rounds=2),
        "SequentialRefinement(question -> answer; the workflow 'sr' (1-1 previous@2048), budget unlimited)",
    ),
    "workflow": (WORKFLOW, "Workflow('own', 8-8-8-1 summary@1024)"),
    "budget": (parse_budget("tokens=16k"), "Budget(tokens=16000, total=None, seconds=None)"),
}


@pytest.mark.parametrize("name", SAID)
def test_a_line_says_what_it_is(name: str) -> None:
    what, said = SAID[name]
    assert repr(what) == said
    assert len(str(what)) < 200 and "\n" not in str(what)


def test_a_language_model_says_where_it_goes_and_no_key() -> None:
    server = FakeVLLM(api_key=KEY)
    with server, Endpoint.open(EndpointSettings((server.url,), api_key=Secret(KEY))) as endpoint:
        assert repr(endpoint.lm) == f"EndpointLM('fake-model' at {server.url})"
        assert repr(endpoint) == f"Endpoint('fake-model' at {server.url})"
        for each in (endpoint.lm, endpoint, endpoint.settings, endpoint.lm.copy(temperature=0.5)):
            assert KEY not in f"{each!r}{each}"
        loaded = dspy.LM.load_state(endpoint.lm.dump_state(), allow_custom_lm_class=True)
        copied = EndpointLM("hosted_vllm/m", engine=loaded.engine, async_engine=loaded._async_engine_spec)
    assert repr(copied) == "EndpointLM('m' not connected)"


def test_what_a_larger_program_prints_is_dspys() -> None:
    class Bigger(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.solve = PDR("question -> answer")

    assert repr(Bigger()).startswith("solve.draft = Predict(")
