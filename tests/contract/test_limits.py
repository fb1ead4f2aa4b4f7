"""Caps and the context: what is cut short or does not fit is a typed error, on record, and never a silent loss."""

from __future__ import annotations

from pdr_dspy.errors import ContextOverflow, Truncated
from pdr_dspy.ledger import open_ledger

from .support import Messages, Recorder, Served, ask, open_endpoint, prompts


def words(count: int) -> Messages:
    """A prompt of some length."""
    return [{"role": "user", "content": " ".join(["17 - 4 ="] * count)}]


LONG = words(3000)


def test_a_truncated_answer_is_typed(either: Served) -> None:
    (messages,) = prompts(1, seed=71)
    with either.endpoint() as endpoint, open_ledger() as ledger:
        (error,) = ask(endpoint, [(messages, {"max_tokens": 7, "ignore_eos": True, "seed": 1})])
    assert isinstance(error, Truncated)
    assert error.text == ""  # seven tokens of thinking, and thinking is no text
    (record,) = ledger.records
    assert (record.outcome, record.finish, record.completion_tokens, record.max_tokens) == ("truncated", "length", 7, 7)


def nearly_full(server: Served, context: int) -> tuple[Messages, int]:
    """A prompt that leaves a little of the context, and its tokens."""
    each = len(server.tokens(words(200))) - len(server.tokens(words(100)))
    messages = words((context - 40) * 100 // each)
    return messages, len(server.tokens(messages))


def test_the_server_refuses_what_is_longer_than_its_context(server: Served) -> None:
    refused = server.chat(LONG, max_tokens=8)
    assert refused.status_code == 400
    assert "maximum context length" in refused.json()["error"]["message"]
    (messages,) = prompts(1, seed=72)
    refused = server.chat(messages, max_tokens=1_000_000)
    assert refused.status_code == 400
    assert ("max_model_len" if server.kind == "vllm" else "maximum context length") in refused.text


def test_a_cap_that_does_not_fit_beside_its_prompt(server: Served) -> None:
    with server.endpoint() as endpoint:
        context = endpoint.context
    assert context is not None
    messages, prompt = nearly_full(server, context)
    answer = server.chat(messages, max_tokens=200, ignore_eos=True)
    if server.kind == "embedded":
        assert answer.status_code == 400 and "maximum context length" in answer.text
    else:  # vLLM cuts the cap and says nothing of it
        assert answer.status_code == 200
        assert answer.json()["usage"]["completion_tokens"] == context - prompt


def test_the_library_clamps_a_cap_to_what_fits(server: Served) -> None:
    with server.endpoint() as endpoint, open_ledger() as ledger:
        context = endpoint.context
        assert context is not None
        messages, prompt = nearly_full(server, context)
        (error,) = ask(endpoint, [(messages, {"max_tokens": 200, "ignore_eos": True})])
    assert isinstance(error, Truncated)
    (record,) = ledger.records
    assert (record.requested_tokens, record.max_tokens) == (200, context - prompt)
    assert (record.finish, record.completion_tokens) == ("length", context - prompt)


def test_a_prompt_that_does_not_fit_is_never_sent(server: Served) -> None:
    before = server.metrics()
    with Recorder(server.base_url) as between, open_endpoint([between.base_url]) as endpoint, open_ledger() as ledger:
        (error,) = ask(endpoint, [(LONG, {"max_tokens": 8})])
    assert isinstance(error, ContextOverflow)
    assert between.exchanges == []
    (record,) = ledger.records
    assert (record.outcome, record.replica, record.tokens) == ("context", "", 0)
    assert server.since(before)["prompt_tokens_total"] == 0


def test_without_a_tokenizer_the_servers_refusal_is_typed(server: Served) -> None:
    with (
        Recorder(server.base_url, hidden=("/tokenize",)) as between,
        open_endpoint([between.base_url]) as endpoint,
        open_ledger() as ledger,
    ):
        (error,) = ask(endpoint, [(LONG, {"max_tokens": 8})])
    assert isinstance(error, ContextOverflow)
    assert [e.status for e in between.exchanges] == [400]
    (record,) = ledger.records
    assert (record.outcome, record.replica) == ("context", between.base_url)
