"""What reaches the server, and what of its answer reaches DSPy and the ledger."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable
from typing import Any

import dspy
import pytest
from fakes.vllm import FakeVLLM, Reply

from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint import Endpoint, EndpointSettings, MemoryStore, endpoint_of
from pdr_dspy.endpoint.transport import Transport
from pdr_dspy.errors import EndpointError

from .support import KEY, call, open_endpoint, outcome, recorded


def test_sampling_caps_and_vllm_fields_reach_the_top_level_of_the_body(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint:
        tag = CallTag(stage="draft", thinking=7)
        call(
            endpoint, tag=tag, temperature=0.6, top_p=0.95, seed=11, max_tokens=40, stop=["END"], top_k=20,
            rollout_id=3, chat_template_kwargs={"enable_thinking": True}, extra_body={"min_p": 0.05},
        )  # fmt: skip
    body = fake_vllm.calls[0].body
    assert body == {
        "model": "fake-model",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.6, "top_p": 0.95, "seed": 11, "max_tokens": 40, "stop": ["END"], "top_k": 20, "min_p": 0.05,
        "chat_template_kwargs": {"enable_thinking": True}, "thinking_token_budget": 7,
    }  # fmt: skip


def test_one_call_is_one_request_by_litellm(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint:
        call(endpoint)
    assert len(fake_vllm.calls) == 1
    assert "litellm" in fake_vllm.calls[0].headers["user-agent"]


def test_the_key_is_sent_as_a_bearer(start_fake: object) -> None:
    server = start_fake(api_key=KEY)  # type: ignore[operator]
    with open_endpoint(server, api_key=KEY) as endpoint:
        call(endpoint)
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"


def test_defaults_of_the_lm_are_lifted_too(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint:
        endpoint.lm.copy(top_k=5, repetition_penalty=1.1)("hello")
    assert fake_vllm.calls[0].body["top_k"] == 5
    assert fake_vllm.calls[0].body["repetition_penalty"] == 1.1


def test_an_unknown_field_is_refused_not_dropped(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint, pytest.raises(Exception, match="tempersture"):
        endpoint.lm("hello", tempersture=0.5)
    assert not fake_vllm.calls


@pytest.mark.parametrize("thinking", ["auto", "server", "off"])
def test_the_thinking_cap_is_sent_unless_off(fake_vllm: FakeVLLM, thinking: str) -> None:
    with open_endpoint(fake_vllm, thinking=thinking) as endpoint:
        _, (record,) = recorded(endpoint, tag=CallTag(thinking=9))
        call(endpoint, tag=CallTag(thinking=None))
    assert fake_vllm.calls[0].body.get("thinking_token_budget") == (None if thinking == "off" else 9)
    assert record.thinking_budget == (None if thinking == "off" else 9)
    assert "thinking_token_budget" not in fake_vllm.calls[1].body


def test_the_record_holds_what_the_server_said(fake_vllm: FakeVLLM) -> None:
    fake_vllm.then(Reply(text="a b c", cached=3, delay=0.05))
    with open_endpoint(fake_vllm) as endpoint:
        tag = CallTag(stage="refine", run="r", step=2, round=1, index=4, sample=3, problem="w12")
        out, (record,) = recorded(endpoint, "one two three", tag=tag, max_tokens=30)
    assert out == ["a b c"]
    place = (record.stage, record.run, record.step, record.round, record.index, record.sample, record.problem)
    assert place == ("refine", "r", 2, 1, 4, 3, "w12")
    assert (record.prompt_tokens, record.completion_tokens, record.cached_tokens) == (7, 4, 3)
    assert (record.outcome, record.finish, record.reported, record.replayed) == ("ok", "stop", True, False)
    assert (record.max_tokens, record.requested_tokens, record.attempt) == (30, 30, 0)
    assert record.seconds >= 0.05
    assert record.replica == fake_vllm.url


def test_usage_that_is_not_reported_is_said_to_be_so(fake_vllm: FakeVLLM) -> None:
    fake_vllm.then(Reply(text="x", usage=False))
    with open_endpoint(fake_vllm) as endpoint:
        _, (record,) = recorded(endpoint)
    assert (record.outcome, record.reported, record.estimated) == ("ok", False, True)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text="42", reasoning="let me see"),
        Reply(text="<think>let me see</think>\n42"),
        Reply(text="let me see\n</think>\n\n42"),
    ],
    ids=["separated", "inline", "template opened it"],
)
def test_thinking_is_kept_apart_from_the_answer(fake_vllm: FakeVLLM, reply: Reply) -> None:
    fake_vllm.then(reply)
    with open_endpoint(fake_vllm) as endpoint:
        (out,) = call(endpoint)
    assert out == {"text": "42", "reasoning_content": "let me see"}


def test_vllms_stop_reason_survives(fake_vllm: FakeVLLM) -> None:
    fake_vllm.then(Reply(text="x", stop_reason="END"))
    with open_endpoint(fake_vllm) as endpoint:
        call(endpoint)
        choice = endpoint.lm.history[-1]["response"].provider_data["choices"][0]
    assert choice["provider_specific_fields"]["stop_reason"] == "END"


def test_a_predict_works_sync_async_in_threads_and_in_loops_of_their_own(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = "[[ ## answer ## ]]\n42\n\n[[ ## completed ## ]]"
    predict = dspy.Predict("question -> answer")
    with open_endpoint(fake_vllm) as endpoint:
        with dspy.context(lm=endpoint.lm):
            assert predict(question="?").answer == "42"
            assert asyncio.run(predict.acall(question="?")).answer == "42"
            assert asyncio.run(predict.acall(question="?")).answer == "42"
            examples = [(predict, {"question": str(i)}) for i in range(4)]
            assert [p.answer for p in dspy.Parallel(num_threads=4)(examples)] == ["42"] * 4
        assert endpoint_of(endpoint.lm) is endpoint
        assert endpoint_of(endpoint.lm.copy(temperature=1.0)) is endpoint
        assert endpoint_of(dspy.LM("openai/x")) is None
        assert endpoint.stats.fresh == 7


def test_n_candidates_are_n_draws_with_a_store_too(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = lambda c: f"draw {c.number}"
    with open_endpoint(fake_vllm, store=MemoryStore()) as endpoint:
        first = call(endpoint, n=3, temperature=1.0)
        assert call(endpoint, n=3, temperature=1.0) == first == ["draw 0", "draw 1", "draw 2"]


async def test_streaming_gives_the_whole_answer(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = "[[ ## answer ## ]]\n42\n\n[[ ## completed ## ]]"
    with open_endpoint(fake_vllm) as endpoint, dspy.context(lm=endpoint.lm):
        program = dspy.streamify(dspy.Predict("question -> answer"))
        items = [item async for item in program(question="?")]
    assert items[-1].answer == "42"


def test_a_closed_endpoint_says_so(fake_vllm: FakeVLLM) -> None:
    endpoint = open_endpoint(fake_vllm)
    endpoint.close()
    assert "closed" in str(outcome(endpoint))


ASKED: dict[str, Callable[[Endpoint], Any]] = {
    "tokens": lambda endpoint: endpoint.tokenizer.count("a text"),
    "probe": lambda endpoint: endpoint.probe(),
    "probed": lambda endpoint: asyncio.run(endpoint.probed()),
    "served": lambda endpoint: endpoint.served(),
}


@pytest.mark.parametrize("what", ASKED)
def test_whatever_is_asked_of_a_closed_endpoint_says_so_and_sends_nothing(what: str, fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint:
        pass
    with pytest.raises(EndpointError, match="endpoint: it is closed"):
        ASKED[what](endpoint)
    assert not fake_vllm.calls and not endpoint.answers()


async def test_plain_numbers_stay_within_the_attempt(fake_vllm: FakeVLLM) -> None:
    """LiteLLM's own time limit lies beyond ours, so that ours decides what a time-out is."""
    with open_endpoint(fake_vllm, timeout=3.0) as endpoint:
        transport = Transport(endpoint.settings)
        assert transport._timeout.read == 8.0
        assert transport._timeout.connect == 2.0


def test_a_call_that_is_cancelled_while_litellm_prepares_it_is_not_warned_of() -> None:
    async def cancelled(transport: Transport) -> None:
        sending = asyncio.ensure_future(transport.send("http://127.0.0.1:9/v1", {"model": "m", "messages": []}))
        await asyncio.sleep(0)  # its thread has begun
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_default_executor()

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        asyncio.run(cancelled(Transport(EndpointSettings(urls=("http://127.0.0.1:9/v1",)))))
        gc.collect()
    assert [str(warning.message) for warning in seen if "never awaited" in str(warning.message)] == []
