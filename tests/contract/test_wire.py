"""What goes over the wire and what comes back: the library's own requests, recorded between it and the server."""

from __future__ import annotations

import dspy
import pytest

from pdr_dspy.data.worksheets import Worksheet, worksheets
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.ledger import open_ledger
from pdr_dspy.modules import PDR

from .support import Recorder, Served, open_endpoint, pdr_workflow, prompts

SENT = {"model", "messages", "max_tokens", "temperature", "seed"}
# A cap on thinking, no thinking at all for helpers, a closed thinking that is continued for its answer.
MAY_BE_SENT = {"thinking_token_budget", "chat_template_kwargs", "continue_final_message", "add_generation_prompt"}


def test_requests_and_answers_have_the_agreed_form(either: Served) -> None:
    (problem,) = worksheets(1, lines=3, split="search", seed=31)
    with Recorder(either.base_url) as recorder, open_endpoint([recorder.base_url]) as endpoint:
        with dspy.context(lm=endpoint.lm), open_ledger() as ledger:
            try:
                PDR(Worksheet, pdr_workflow(rounds=1))(**problem.inputs)
            except WorkflowFailed as failed:
                assert failed.kind in ("truncated", "unparseable", "empty")
        answered = [e for e in recorder.exchanges if e.status == 200]
        assert len(answered) >= 4
        for exchange in answered:
            asked, answer = exchange.request, exchange.answer
            assert set(asked) >= SENT
            assert set(asked) - SENT <= MAY_BE_SENT
            assert answer["object"] == "chat.completion" and answer["model"] == either.model
            (choice,) = answer["choices"]
            assert choice["index"] == 0 and choice["finish_reason"] in ("stop", "length")
            assert choice["message"]["role"] == "assistant"
            usage = answer["usage"]
            assert usage["prompt_tokens"] > 0
            assert 0 < usage["completion_tokens"] <= asked["max_tokens"]
            assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    kept = [r for r in ledger.records if r.finish]
    said = [e.answer["usage"] for e in answered]
    assert sorted((r.prompt_tokens, r.completion_tokens) for r in kept) == sorted(
        (u["prompt_tokens"], u["completion_tokens"]) for u in said
    )
    assert all(r.reported and r.replica == recorder.base_url for r in kept)


def test_thinking_has_its_own_field_only_with_a_parser(either: Served) -> None:
    (messages,) = prompts(1, seed=32)
    answer = either.chat(messages, max_tokens=200, temperature=0.8, seed=3).json()
    message = answer["choices"][0]["message"]
    if either.parser:
        assert message["reasoning"] and "think>" not in message["reasoning"]
        assert "think>" not in (message["content"] or "")
        assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
        # The older of the field's two names: the embedded server has both, vLLM dropped it. LiteLLM reads either.
        assert ("reasoning_content" in message) == (either.kind == "embedded")
    else:
        assert not message.get("reasoning")
        assert message["content"].lstrip().startswith("<think>")


def test_the_prompt_is_counted_as_the_tokenizer_counts_it(server: Served) -> None:
    for messages in prompts(2, seed=33):
        usage = server.chat(messages, max_tokens=1).json()["usage"]
        assert usage["prompt_tokens"] == len(server.tokens(messages))


def test_cached_tokens_are_reported_by_vllm_alone(server: Served) -> None:
    (messages,) = prompts(1, lines=6, seed=34)
    server.chat(messages, max_tokens=1)
    usage = server.chat(messages, max_tokens=1).json()["usage"]
    if server.kind == "vllm":
        assert usage["prompt_tokens_details"]["cached_tokens"] > 0
    else:
        assert usage.get("prompt_tokens_details") is None


@pytest.mark.parametrize("field", ["foo", "guided_json"])
def test_fields_a_server_cannot_honour(server: Served, field: str) -> None:
    (messages,) = prompts(1, seed=35)
    status = server.chat(messages, max_tokens=4, **{field: {"type": "object"}}).status_code
    # vLLM passes over what it does not know, and `guided_json` is no longer known; the embedded server refuses what
    # once had a meaning that it can't give it.
    assert status == (400 if server.kind == "embedded" and field == "guided_json" else 200)
