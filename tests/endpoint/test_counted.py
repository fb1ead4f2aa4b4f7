"""A usage that is missing or can't be true is counted by the tokenizer, and every row says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes.vllm import FakeVLLM, Reply
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint import FileAllowance, FileStore, MemoryStore, StoredCompletion
from pdr_dspy.errors import ServerFailure
from pdr_dspy.ledger import meters

from .support import open_endpoint, recorded

WORDS, PROMPT, CAP, CONTEXT = 3, 5, 50, 4096  # "one two three"; "hello" and the template's four


def body(usage: Any, **message: Any) -> str:
    said = {"role": "assistant", "content": "one two three", **message}
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    return json.dumps(
        {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], **usage}
    )


def said(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion, **more}}


FALSE: dict[str, tuple[dict[str, Any], int, int]] = {
    "missing": ({}, PROMPT, WORDS),
    "null": ({"usage": None}, PROMPT, WORDS),
    "empty": ({"usage": {}}, PROMPT, WORDS),
    "more than was asked for": (said(7, CAP + 1), 7, WORDS),
    "absurd": (said(10**30, 10**30), PROMPT, WORDS),
    "a float beyond all": (said(7, 1e300), 7, WORDS),  # type: ignore[arg-type]
    "nothing for what was written": (said(7, 0), 7, WORDS),
    "a prompt longer than the context": (said(CONTEXT + 1, 4), PROMPT, 4),
    "more cached than read": (said(7, 4, prompt_tokens_details={"cached_tokens": 9}), PROMPT, 4),
    "more thought than generated": (said(7, 4, completion_tokens_details={"reasoning_tokens": 9}), 7, WORDS),
}


@pytest.mark.parametrize(("usage", "prompt", "completion"), FALSE.values(), ids=FALSE.keys())
def test_a_usage_that_can_not_be_true_is_counted(
    fake_vllm: FakeVLLM, tmp_path: Path, usage: dict[str, Any], prompt: int, completion: int
) -> None:
    fake_vllm.answer = Reply(raw=body(usage))
    for replayed in (False, True):
        with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
            _, (record,) = recorded(endpoint)
            assert any("counted here" in warning for warning in endpoint.stats.warnings) != replayed
        assert (record.outcome, record.reported, record.estimated, record.replayed) == ("ok", False, True, replayed)
        assert (record.prompt_tokens, record.completion_tokens) == (prompt, completion)
    assert meters([record]).estimated == meters([record]).unreported == 1
    (line,) = (line for file in tmp_path.glob("*.jsonl") for line in file.open() if "one two" in line)
    kept = json.loads(line)["completion"]["body"]["usage"]["estimated_instead_of"]
    assert (kept or {}).get("completion_tokens", 0) == (usage.get("usage") or {}).get("completion_tokens", 0)


def test_a_usage_that_can_be_true_is_believed(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = Reply(raw=body(said(900, CAP)))  # a template may add much, and nobody sees a thinking left out
    with open_endpoint(fake_vllm) as endpoint:
        _, (record,) = recorded(endpoint)
    assert (record.reported, record.estimated) == (True, False)
    assert (record.prompt_tokens, record.completion_tokens) == (900, CAP)


def test_a_server_that_ignores_the_cap_is_counted_beyond_it(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = Reply(raw=body(said(7, 90), content="word " * 90))
    with open_endpoint(fake_vllm) as endpoint:
        _, (record,) = recorded(endpoint)
    assert (record.estimated, record.completion_tokens) == (True, 90)


def test_thinking_is_counted_too(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = Reply(raw=body({}, reasoning_content="four five "))
    with open_endpoint(fake_vllm) as endpoint:
        _, (record,) = recorded(endpoint)
    assert record.completion_tokens == WORDS + 2


def test_bytes_are_counted_where_there_is_no_tokenizer_and_what_was_said_bounds_them(fake_vllm: FakeVLLM) -> None:
    fake_vllm.tokenizer = None
    with open_endpoint(fake_vllm) as endpoint:
        for usage, counted in (({}, len("one two three")), (said(7, 10**6), len("one two three"))):
            fake_vllm.answer = Reply(raw=body(usage))
            _, (record,) = recorded(endpoint)
            assert (record.estimated, record.completion_tokens) == (True, counted)
        fake_vllm.answer = Reply(raw=body(said(7, CAP + 2), content="word " * 40))
        _, (record,) = recorded(endpoint)
        assert record.completion_tokens == CAP + 2


@pytest.mark.parametrize(
    ("usage", "words", "counted"),
    [({}, CAP, CAP), ({"usage": {"total_tokens": 60}}, CAP, CAP), (said(7, 0), CAP, CAP), ({}, 400, 5 * 400)],
)
def test_counted_bytes_are_no_more_than_was_asked_for(
    fake_vllm: FakeVLLM, usage: dict[str, Any], words: int, counted: int
) -> None:
    fake_vllm.tokenizer = None
    fake_vllm.answer = Reply(raw=body(usage, content="word " * words))  # 400 words are too long for the cap
    with open_endpoint(fake_vllm, thinking="off") as endpoint:
        _, (record,) = recorded(endpoint)
    assert (record.estimated, record.completion_tokens) == (True, counted)


def test_an_estimate_is_booked_as_all_that_was_allowed(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    fake_vllm.answer = Reply(raw=body(said(10**30, 10**30)))
    allowance = FileAllowance(tmp_path, 1000)
    with open_endpoint(fake_vllm, allowance=allowance, thinking="off") as endpoint:
        recorded(endpoint)
    assert allowance.spent == CAP


def test_an_answer_that_was_broken_off_is_not_booked_twice(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    fake_vllm.answer = Reply(text="one two three", finish="abort", usage=False)
    allowance = FileAllowance(tmp_path)
    with open_endpoint(fake_vllm, allowance=allowance, retries=0) as endpoint:
        error, (record,) = recorded(endpoint)
        stats = endpoint.stats
    assert isinstance(error, ServerFailure)
    assert (record.outcome, record.estimated, record.completion_tokens) == ("server", True, WORDS)
    assert allowance.spent == stats.fresh_tokens + stats.uncounted_at_most == CAP


def test_an_estimate_in_an_older_store_is_made_when_it_is_replayed(fake_vllm: FakeVLLM) -> None:
    class Older(MemoryStore):
        """A store of a version that believed everything."""

        def put(self, key: str, completion: StoredCompletion) -> None:
            absurd = {**completion.body, "usage": {"prompt_tokens": 1, "completion_tokens": 10**30}}
            super().put(key, StoredCompletion(absurd, 1.0, None, 0.0, CAP, completion.replica))

    fake_vllm.answer = "one two three"
    with open_endpoint(fake_vllm, store=Older()) as endpoint:
        recorded(endpoint)
        _, (record,) = recorded(endpoint)
    assert (record.replayed, record.estimated, record.completion_tokens) == (True, True, WORDS)
    assert len(fake_vllm.calls) == 1


def test_a_part_that_is_estimated_makes_the_whole_an_estimate(fake_vllm: FakeVLLM) -> None:
    def answer(call: Any) -> Reply:
        if call.body.get("continue_final_message"):
            return Reply(text="the answer")
        return Reply(text="<think>" + " word" * 30, usage=False)

    fake_vllm.answer = answer
    tag = CallTag(stage="draft", thinking=10, answer=20)
    store = MemoryStore()
    for _ in range(2):
        with open_endpoint(fake_vllm, store=store, thinking="continue") as endpoint:
            _, records = recorded(endpoint, tag=tag, max_tokens=30)
    (replayed,) = records
    assert (replayed.estimated, replayed.reported) == (True, False)
    assert replayed.completion_tokens == 10 + 3  # the second part's end token is the server's own count


SHOWN: dict[str, tuple[str, int, bool]] = {
    "thinking beside the completion": (
        body(said(7, 5, total_tokens=42, completion_tokens_details={"reasoning_tokens": 30})), 35, True,
    ),
    "thinking in the total alone": (body(said(7, 5, total_tokens=42)), 35, True),
    "thinking beside it, without a total": (
        body(said(7, 5, completion_tokens_details={"reasoning_tokens": 6})), CAP, False,
    ),
    "thinking beside it, beyond the cap": (
        body(said(7, 5, total_tokens=97, completion_tokens_details={"reasoning_tokens": 85})), 90, False,
    ),
    "a tool call": (
        body(said(7, 1), content=None, tool_calls=[
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "word " * CAP}}
        ]), CAP, False,
    ),
    "a refusal": (body(said(7, 1), refusal="word " * CAP), CAP, False),
    "thinking in details": (body(said(7, 3), reasoning_details=[{"type": "t", "text": "word " * CAP}]), CAP, False),
    "thinking in an object": (body(said(7, 3), reasoning={"content": "word " * CAP}), CAP, False),
    "a long text": (body(said(7, 3), content="word " * 400), (2000 - 64) // 16, False),
}  # fmt: skip
"""What an answer shows: at least so many tokens are booked; whether its usage is believed."""


@pytest.mark.parametrize(("answer", "booked", "believed"), SHOWN.values(), ids=SHOWN.keys())
def test_no_less_is_booked_than_an_answer_shows(
    fake_vllm: FakeVLLM, tmp_path: Path, answer: str, booked: int, believed: bool
) -> None:
    fake_vllm.answer = Reply(raw=answer)
    allowance = FileAllowance(tmp_path)
    with open_endpoint(fake_vllm, allowance=allowance, thinking="off") as endpoint:
        _, (record,) = recorded(endpoint)
    assert allowance.spent == booked
    if believed:
        assert (record.reported, record.completion_tokens, record.uncounted) == (True, booked, 0)


def test_listed_tokens_are_shown_too(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    listed = json.loads(body(said(7, 3)))
    listed["choices"][0]["logprobs"] = {
        "content": [{"token": "a", "logprob": -1.0, "bytes": None, "top_logprobs": []}] * 4
    }
    fake_vllm.answer = Reply(raw=json.dumps(listed))
    allowance = FileAllowance(tmp_path)
    with open_endpoint(fake_vllm, allowance=allowance, thinking="off") as endpoint:
        recorded(endpoint)
    assert allowance.spent == CAP


@pytest.mark.parametrize(("finish", "content"), [("error", ""), ("abort", ""), ("length", ""), ("error", "word " * 80)])
def test_nothing_said_of_what_was_generated_is_all_that_was_allowed(
    fake_vllm: FakeVLLM, tmp_path: Path, finish: str, content: str
) -> None:
    answer = json.loads(body(said(7, 1 if content else 0), content=content))
    answer["choices"][0]["finish_reason"] = finish
    fake_vllm.answer = Reply(raw=json.dumps(answer))
    allowance = FileAllowance(tmp_path)
    with open_endpoint(fake_vllm, allowance=allowance, retries=0, thinking="off") as endpoint:
        recorded(endpoint)
    assert allowance.spent == CAP


NUMBERS = st.integers(0, 10**31) | st.sampled_from([0, 1, CAP, CAP + 1, CONTEXT, CONTEXT + 1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(prompt=NUMBERS, completion=NUMBERS, cached=NUMBERS | st.none(), thinking=NUMBERS | st.none())
def test_no_row_has_more_than_can_be(
    fake_vllm: FakeVLLM, prompt: int, completion: int, cached: int | None, thinking: int | None
) -> None:
    details = {
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": thinking},
    }
    fake_vllm.answer = Reply(raw=body(said(prompt, completion, **details)))
    with open_endpoint(fake_vllm) as endpoint:
        _, (record,) = recorded(endpoint)
    assert 0 < record.prompt_tokens <= CONTEXT and 0 < record.completion_tokens <= CAP
    assert record.estimated != record.reported
    if record.reported:
        assert (record.prompt_tokens, record.completion_tokens) == (prompt, completion)
