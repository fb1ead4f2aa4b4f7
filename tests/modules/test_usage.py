"""DSPy's usage tracker and the run's ledger say the same."""

from __future__ import annotations

import dspy
import pytest
from fakes.stages import fields
from fakes.vllm import FakeVLLM, Reply

from pdr_dspy.endpoint import Endpoint, EndpointSettings, MemoryStore
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Round, Summary, Workflow

WIDE = Workflow(name="wide", rounds=(Round(width=4, distill=Summary(tokens=64)), Round(width=1)))


def solve(lm: dspy.LM) -> dspy.Prediction:
    with dspy.context(lm=lm, track_usage=True, adapter=dspy.ChatAdapter()):
        return PDR("problem -> answer", WIDE, budget="tokens=2k")(problem="q")


def agree(prediction: dspy.Prediction) -> None:
    (usage,) = prediction.get_lm_usage().values()
    meters = prediction.run.meters
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (meters.prompt_tokens, meters.total_generated)
    assert usage["total_tokens"] == meters.prompt_tokens + meters.total_generated


def test_they_agree_also_where_calls_fail_and_are_tried_again(model: FakeVLLM, endpoint: Endpoint) -> None:
    agree(solve(endpoint.lm))
    model.then(
        Reply(text="I can't do that."), Reply(text=None), Reply(text=fields(solution="cut"), finish="length"),
        Reply(status=500),
    )  # fmt: skip
    found = solve(endpoint.lm)
    assert found.run.failed
    agree(found)


def test_they_agree_on_answers_that_are_replayed(model: FakeVLLM) -> None:
    with Endpoint.open(EndpointSettings(urls=(model.url,)), store=MemoryStore()) as endpoint:
        solve(endpoint.lm)
        found = solve(endpoint.lm)
    assert found.run.meters.replayed and not found.run.meters.fresh_generated
    agree(found)


def test_they_agree_for_an_lm_of_dspy(model: FakeVLLM) -> None:
    found = solve(dspy.LM("hosted_vllm/fake-model", api_base=model.url, cache=False))
    agree(found)


def test_a_run_that_fails_is_counted_too(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = "[[ ## completed ## ]]"
    with dspy.track_usage() as tracker, dspy.context(lm=endpoint.lm), pytest.raises(WorkflowFailed) as caught:
        PDR("problem -> answer", WIDE, budget="tokens=2k")(problem="q")
    (usage,) = tracker.get_total_tokens().values()
    assert usage["completion_tokens"] == caught.value.record.meters.total_generated > 0
