"""A `PDR` called as programs call DSPy's modules: `lm=`, `config=`, `demos=`, earlier turns, names that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dspy
import pytest
from fakes.stages import by_stage, stage_of
from fakes.vllm import FakeVLLM

from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.errors import EndpointError, InputError, WorkflowError
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Round, Sampling, Summary, Workflow

SMALL = Workflow(name="small", rounds=(Round(width=2, distill=Summary(tokens=64)), Round(width=1)))


def small(signature: str = "problem -> answer", **options: Any) -> PDR:
    return PDR(signature, options.pop("workflow", SMALL), budget="tokens=2k", **options)


@pytest.fixture
def other() -> Iterator[Endpoint]:
    with (
        FakeVLLM(answer=by_stage, context=1024, tokenizer="words", model="other") as server,
        Endpoint.open(EndpointSettings(urls=(server.url,))) as opened,
    ):
        opened.server = server  # type: ignore[attr-defined]
        yield opened


def test_the_lm_of_a_call_answers_all_of_it_and_its_plan_is_made_for_it(
    model: FakeVLLM, endpoint: Endpoint, other: Any
) -> None:
    program = small()
    program.set_lm(endpoint.lm)
    prediction = program(problem="q", lm=other.lm)
    assert (len(model.calls), len(other.server.calls)) == (0, 4)
    assert {record.model for record in prediction.run.records} == {"other"}
    assert all(call.cap <= 1024 for call in other.server.calls)
    assert program(problem="q").answer and len(model.calls) == 4


def test_a_stage_with_an_lm_of_its_own_keeps_the_plan_within_the_shorter_context(
    model: FakeVLLM, endpoint: Endpoint, other: Any
) -> None:
    program = small()
    program.refine.lm = other.lm
    with dspy.context(lm=endpoint.lm):
        prediction = program(problem="q")
    assert [stage_of(c) for c in other.server.calls] == ["refine"]
    assert prediction.run.plan.steps[0].caps.total < 1024


def test_the_config_of_a_call_goes_before_the_workflow(model: FakeVLLM, endpoint: Endpoint) -> None:
    program = small(workflow=SMALL.model_copy(update={"sampling": Sampling(temperature=0.5, top_p=0.9)}))
    with dspy.context(lm=endpoint.lm):
        program(problem="q", config={"temperature": 0.2, "top_k": 7})
    assert {(c.body["temperature"], c.body["top_p"], c.body["top_k"]) for c in model.calls} == {(0.2, 0.9, 7)}


@pytest.mark.parametrize("nothing", [{}, {"config": {}}, {"config": None}, {"demos": None}, {"lm": None}], ids=str)
def test_an_option_that_says_nothing_changes_nothing(
    nothing: dict[str, Any], model: FakeVLLM, endpoint: Endpoint
) -> None:
    with dspy.context(lm=endpoint.lm):
        small()(problem="q")
        before, model.calls[:] = [c.body for c in model.calls], []
        small()(problem="q", **nothing)
    assert sorted(map(str, before)) == sorted(str(c.body) for c in model.calls)


def test_rollouts_and_seeds_of_a_call_are_other_draws(model: FakeVLLM, endpoint: Endpoint) -> None:
    def seeds(**options: Any) -> frozenset[int]:
        model.calls.clear()
        with dspy.context(lm=endpoint.lm):
            small()(problem="q", **options)
        return frozenset(c.body["seed"] for c in model.calls)

    drawn = [
        seeds(),
        seeds(config={"rollout_id": 3}),
        seeds(config={"seed": 3}),
        seeds(config={"rollout_id": 3, "seed": 3}),
    ]
    assert len(set(drawn)) == 4 and all(len(each) == 4 for each in drawn)
    assert seeds(config={"seed": 3}) == drawn[2]


def test_a_call_may_leave_the_demonstrations_out(model: FakeVLLM, endpoint: Endpoint) -> None:
    program = small()
    program.draft.demos = [dspy.Example(problem="p", solution="s", answer="demonstrated")]
    with dspy.context(lm=endpoint.lm):
        program(problem="q")
        assert "demonstrated" in model.calls[0].prompt
        model.calls.clear()
        program(problem="q", demos=[])
    assert not any("demonstrated" in c.prompt for c in model.calls)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"config": {"max_tokens": 5}}, "config.max_tokens"),
        ({"config": {"n": 3}}, "config.n"),
        ({"config": {"seed": "3"}}, "config.seed"),
        ({"config": 3}, "config"),
        ({"lm": "openai/gpt-4o-mini"}, "lm"),
        ({"signature": "q -> a"}, "signature"),
        ({"demos": [dspy.Example(problem="p", answer="a")]}, "demos"),
    ],
    ids=["max_tokens", "n", "seed", "config", "lm", "signature", "demos"],
)
def test_what_a_run_has_no_place_for_is_said_before_a_call(
    given: dict[str, Any], field: str, model: FakeVLLM, endpoint: Endpoint
) -> None:
    with dspy.context(lm=endpoint.lm), pytest.raises(InputError) as caught:
        small()(problem="q", **given)
    assert caught.value.field == field
    assert not model.calls


BAD_CONFIG: dict[str, tuple[dict[Any, Any], str, str]] = {
    "hot": ({"temperature": "hot"}, "temperature", "a number from 0 to 2,"),
    "9": ({"temperature": 9}, "temperature", "a number from 0 to 2,"),
    "long": ({"temperature": 10**5000}, "temperature", "a number from 0 to 2,"),
    "negative": ({"temperature": -0.1}, "temperature", "a number from 0 to 2,"),
    "nan": ({"temperature": float("nan")}, "temperature", "a number from 0 to 2,"),
    "true": ({"temperature": True}, "temperature", "a number from 0 to 2,"),
    "top_p 2": ({"top_p": 2}, "top_p", "a number above 0 and at most 1,"),
    "top_p 0": ({"top_p": 0.0}, "top_p", "a number above 0 and at most 1,"),
    "top_k a": ({"top_k": "a"}, "top_k", "a whole number from 1 on,"),
    "top_k -1": ({"top_k": -1}, "top_k", "a whole number from 1 on,"),
    "top_k 2.5": ({"top_k": 2.5}, "top_k", "a whole number from 1 on,"),
    "min_p": ({"min_p": [0.1]}, "min_p", "a number from 0 to 1,"),
    "presence": ({"presence_penalty": 3}, "presence_penalty", "a number from -2 to 2,"),
    "repetition": ({"repetition_penalty": float("inf")}, "repetition_penalty", "a number above 0,"),
    "rollout": ({"rollout_id": "a"}, "rollout_id", "a whole number,"),
    "seed": ({"seed": 3.0}, "seed", "a whole number,"),
    "foo": ({"foo": 1}, "foo", "extra_body={'foo': ...}"),
    "nearly": ({"temprature": 0.5}, "temprature", "Write temperature"),
    "key": ({"api_key": "canary-0123"}, "api_key", "connect"),
    "address": ({"api_base": "http://elsewhere"}, "api_base", "connect"),
    "model": ({"model": "other"}, "model", "lm="),
    "stream": ({"stream": True}, "stream", "streamify"),
    "messages": ({"messages": []}, "messages", "inputs"),
    "body": ({"extra_body": "foo"}, "extra_body", "extra_body"),
    "body's cap": ({"extra_body": {"max_tokens": 5}}, "extra_body.max_tokens", "budget"),
    "body's number": ({"extra_body": {"n": 2}}, "extra_body.n", "width"),
    "body's sampling": ({"extra_body": {"top_k": "a"}}, "extra_body.top_k", "a whole number from 1 on,"),
    "body's stream": ({"extra_body": {"stream": True}}, "extra_body.stream", "streamify"),
    "no name": ({3: 1}, "", "temperature"),
}


@pytest.mark.parametrize("bad", BAD_CONFIG)
def test_sampling_that_can_not_be_is_said_before_a_call(bad: str, model: FakeVLLM, endpoint: Endpoint) -> None:
    config, field, mend = BAD_CONFIG[bad]
    with dspy.context(lm=endpoint.lm), pytest.raises(InputError) as caught:
        small()(problem="q", config=config)
    assert caught.value.field == f"config.{field}".rstrip(".")
    assert mend in caught.value.mend and "canary" not in str(caught.value)
    assert not model.calls


def test_sampling_that_can_be_is_sent_as_it_is(model: FakeVLLM, endpoint: Endpoint) -> None:
    config = {
        "temperature": 2, "top_p": 1, "top_k": 1, "min_p": 0, "presence_penalty": -2.0, "repetition_penalty": 1.1,
        "stop": ["END"], "chat_template_kwargs": {"enable_thinking": False}, "ignore_eos": False,
    }  # fmt: skip
    beside = {"n": 1, "max_tokens": None, "min_tokens": None, "cache": False, "extra_body": {"of_the_server": 1}}
    with dspy.context(lm=endpoint.lm):
        small(workflow="long_cot")(problem="q", config={**config, **beside})
    sent = model.calls[0].body
    assert {name: sent[name] for name in config} == config and sent["of_the_server"] == 1


@pytest.mark.parametrize("budget", [None, "total=50k"], ids=["unlimited", "total"])
@pytest.mark.parametrize("workflow", ["long_cot", "pdr_small"])
def test_an_lm_that_is_closed_says_so_before_a_call(
    workflow: str, budget: str | None, model: FakeVLLM, endpoint: Endpoint
) -> None:
    endpoint.lm.close()
    with pytest.raises(EndpointError, match="endpoint: it is closed"):
        PDR("problem -> answer", workflow, budget=budget)(problem="q", lm=endpoint.lm)
    assert not model.calls


def test_inputs_without_names_are_refused_with_the_names(endpoint: Endpoint) -> None:
    with dspy.context(lm=endpoint.lm), pytest.raises(InputError, match=r"problem=\.\.\."):
        small()("q")


def test_a_missing_input_is_an_error_before_a_call(model: FakeVLLM, endpoint: Endpoint) -> None:
    with dspy.context(lm=endpoint.lm), pytest.raises(InputError, match=r"context is missing\. Write context=\.\.\."):
        small("problem, context -> answer")(problem="q")
    with dspy.context(lm=endpoint.lm), pytest.raises(InputError, match="question"):
        small()(question="q")
    assert not model.calls


def test_an_input_that_may_be_left_out_may_be_left_out(endpoint: Endpoint) -> None:
    class Sig(dspy.Signature):
        problem: str = dspy.InputField()
        hint: str | None = dspy.InputField()
        style: str = dspy.InputField(default="short")
        answer: str = dspy.OutputField()

    with dspy.context(lm=endpoint.lm):
        assert small(Sig)(problem="q").answer


def test_unknown_inputs_are_said_once(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    with dspy.context(lm=endpoint.lm):
        assert small()(problem="q", temperature=0.2).answer
    assert caplog.text.count("temperature") == 1


@pytest.mark.parametrize("name", ["lm", "config", "demos", "self", "instance"])
def test_an_input_with_a_name_that_dspy_keeps_is_refused_when_the_program_is_made(name: str) -> None:
    with pytest.raises(WorkflowError, match=name):
        small(f"problem, {name} -> answer")


TURNS = dspy.History(messages=[{"problem": "the capital of France?", "answer": "Paris"}])


@pytest.mark.parametrize(
    "adapter", [None, dspy.ChatAdapter(), dspy.JSONAdapter(), dspy.XMLAdapter()], ids=["plain", "chat", "json", "xml"]
)
def test_earlier_turns_reach_every_stage(adapter: Any, model: FakeVLLM, endpoint: Endpoint) -> None:
    asked: list[str] = []

    def answer(call: Any) -> str:
        asked.append(call.prompt)
        return "a solution\n\nAnswer: 42" if adapter is None else _written(adapter, call)

    model.answer = answer
    with dspy.context(lm=endpoint.lm, adapter=adapter):
        found = small("problem, history: dspy.History -> answer")(problem="and of Spain?", history=TURNS)
    assert found.answer == "42" and not found.run.failed
    assert len(asked) == 4
    assert [("Paris" in prompt, "the capital of France?" in prompt) for prompt in asked] == [(True, True)] * 4
    assert "workspace ## ]]\nNone" not in asked[2] and "<workspace>\nNone" not in asked[2]


def _written(adapter: Any, call: Any) -> str:
    system = call.messages[0]["content"].split("Your output fields are:")[1]
    names = [line.split("`")[1] for line in system.splitlines() if line[:1].isdigit()]
    values = {"answer": "42", "solution": "a solution", "workspace": "notes"}
    return str(adapter.format_assistant_message_content(dspy.Signature(f"q -> {', '.join(names)}"), values))
