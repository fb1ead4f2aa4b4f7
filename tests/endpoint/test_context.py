"""The cap of a call beside its prompt, and the context as a wall."""

from __future__ import annotations

from collections.abc import Callable

from fakes.vllm import FakeVLLM

from pdr_dspy.errors import ContextOverflow, Truncated

from .support import open_endpoint, outcome, recorded


def test_a_cap_that_does_not_fit_is_clamped_to_what_is_left(start_fake: Callable[..., FakeVLLM]) -> None:
    server = start_fake(context=100)
    with open_endpoint(server) as endpoint:
        out, (record,) = recorded(endpoint, "word " * 19 + "word", max_tokens=500)
    assert out == ["ok"]
    assert server.calls[0].body["max_tokens"] == 100 - 20 - 4
    assert (record.max_tokens, record.requested_tokens) == (76, 500)


def test_a_cap_that_fits_is_left_alone(start_fake: Callable[..., FakeVLLM]) -> None:
    server = start_fake(context=100)
    with open_endpoint(server) as endpoint:
        outcome(endpoint, "word " * 19 + "word", max_tokens=76)
    assert server.calls[0].body["max_tokens"] == 76


def test_a_prompt_that_plainly_fits_is_not_counted(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint:
        before = fake_vllm.other_requests.count("POST /tokenize")
        outcome(endpoint, max_tokens=500)
        assert fake_vllm.other_requests.count("POST /tokenize") == before


def test_a_prompt_that_fills_the_context_is_not_sent(start_fake: Callable[..., FakeVLLM]) -> None:
    server = start_fake(context=30)
    with open_endpoint(server) as endpoint:
        error, (record,) = recorded(endpoint, "word " * 40)
    assert isinstance(error, ContextOverflow)
    assert not server.calls
    assert (record.outcome, record.replica, record.reported, record.tokens) == ("context", "", True, 0)


def test_without_a_tokenizer_the_servers_own_word_is_the_error(start_fake: Callable[..., FakeVLLM]) -> None:
    server = start_fake(context=30, tokenizer=None)
    with open_endpoint(server) as endpoint:
        assert isinstance(outcome(endpoint, "word " * 40), ContextOverflow)
        assert any("upper bound" in w for w in endpoint.stats.warnings)


def test_a_call_without_a_cap_gets_the_servers(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint:
        endpoint.lm("hello")
    assert "max_tokens" not in fake_vllm.calls[0].body


def test_an_answer_longer_than_its_cap_is_truncated(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = "one two three four five"
    with open_endpoint(fake_vllm) as endpoint:
        error, (record,) = recorded(endpoint, max_tokens=3)
    assert isinstance(error, Truncated)
    assert (record.outcome, record.finish, record.completion_tokens) == ("truncated", "length", 3)
