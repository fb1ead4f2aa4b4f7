"""Who decides how drafts are sampled: the workflow, else the LM, else the server."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import dspy
import pytest
from fakes.vllm import FakeVLLM

from pdr_dspy.endpoint import Endpoint
from pdr_dspy.modules import PDR, LongCoT, MajorityVote
from pdr_dspy.workflow import Round, Sampling, Workflow, dump_workflow, parse_workflow, sampled

FIELDS = ("temperature", "top_p", "top_k", "min_p", "n")


def body(model: FakeVLLM, lm: Any, sampling: Sampling = Sampling()) -> dict[str, Any]:  # noqa: B008 (frozen)
    """What the server was sent of the sampling, and the cap."""
    rounds = (Round(width=1, thinking=64, answer=32),)
    with dspy.context(lm=lm, adapter=dspy.ChatAdapter()):
        PDR("problem -> answer", Workflow(name="one", rounds=rounds, sampling=sampling))(problem="?")
    sent = model.calls[-1].body
    assert model.calls[-1].cap == 96
    return {name: sent[name] for name in FIELDS if name in sent}


def test_the_server_decides_where_nobody_else_does(model: FakeVLLM, endpoint: Endpoint) -> None:
    assert body(model, endpoint.lm) == {}


def test_the_lm_decides_where_the_workflow_does_not(model: FakeVLLM, endpoint: Endpoint) -> None:
    own = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0.05}
    assert body(model, endpoint.lm.copy(**own, max_tokens=7)) == own
    named = body(model, endpoint.lm.copy(**own), Sampling(temperature=1.0))
    assert named == {**own, "temperature": 1.0}


def test_another_lm_decides_too(model: FakeVLLM) -> None:
    lm = dspy.LM("hosted_vllm/fake-model", api_base=model.url, api_key="x", cache=False, temperature=0.6, top_p=0.95)
    assert body(model, lm.copy(max_tokens=7)) == {"temperature": 0.6, "top_p": 0.95}
    assert body(model, lm, Sampling(temperature=0.2, top_p=0.5))["temperature"] == 0.2


@pytest.fixture
def dspys_cache() -> Iterator[None]:
    """DSPy's cache is on, in memory."""
    before = dspy.cache
    dspy.configure_cache(enable_disk_cache=False)
    yield
    dspy.cache = before


def test_drafts_of_another_lm_are_drawn_apart_without_a_temperature(
    dspys_cache: None, model: FakeVLLM, tmp_path: Any
) -> None:
    """They must not share an entry of DSPy's cache."""
    lm = dspy.LM("hosted_vllm/fake-model", api_base=model.url, api_key="x", cache=True)
    with dspy.context(lm=lm, adapter=dspy.ChatAdapter()), warnings.catch_warnings():
        warnings.simplefilter("error")
        MajorityVote("problem -> answer", width=4, budget="tokens=1k")(problem=str(tmp_path))
    assert len(model.calls) == 4


def test_greedy_drafts_are_asked_for_as_they_are(model: FakeVLLM, endpoint: Endpoint) -> None:
    assert body(model, endpoint.lm, Sampling(temperature=0.0)) == {"temperature": 0.0}
    assert body(model, endpoint.lm.copy(temperature=0.0)) == {"temperature": 0.0}


def test_the_modules_name_no_sampling_of_their_own() -> None:
    assert LongCoT("problem -> answer").workflow.sampling == Sampling(temperature=None, top_p=None)


@pytest.mark.parametrize(
    ("sampling", "label", "written"),
    [
        (Sampling(), "T default", ""),
        (Sampling(temperature=1.0), "T 1", "sampling: {temperature: 1.0}\n"),
        (Sampling(top_p=0.9), "T default, top-p 0.9", "sampling: {top_p: 0.9}\n"),
        (Sampling(temperature=0.6, top_p=0.95), "T 0.6, top-p 0.95", "sampling: {temperature: 0.6, top_p: 0.95}\n"),
    ],
)
def test_sampling_is_told_and_written_as_it_is(sampling: Sampling, label: str, written: str) -> None:
    workflow = Workflow(name="one", rounds=(Round(width=1),), sampling=sampling)
    text = dump_workflow(workflow)
    assert text == "name: one\nrounds:\n  - {width: 1}\n" + written
    assert parse_workflow(text) == workflow
    assert sampled(sampling) == label
