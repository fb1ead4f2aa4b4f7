"""A body that is no chat completion costs one attempt, is not kept, and never fails a problem for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest
from fakes.vllm import FakeVLLM, Reply
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.characters import is_whole, whole, whole_json
from pdr_dspy.endpoint import FileStore, MemoryStore, StoredCompletion
from pdr_dspy.endpoint.chat_body import MalformedBody, checked, decoded
from pdr_dspy.errors import ServerFailure
from pdr_dspy.modules import LongCoT, MajorityVote

from .support import open_endpoint, outcome, recorded

FIELDS = "[[ ## solution ## ]]\nw\n\n[[ ## answer ## ]]\n42\n\n[[ ## completed ## ]]"
MESSAGE = {"role": "assistant", "content": FIELDS}
CHOICE = {"index": 0, "message": MESSAGE, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
BODY: dict[str, Any] = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [CHOICE], "usage": USAGE,
}  # fmt: skip
NAN = float("nan")
TEXT = {"type": "text", "text": FIELDS}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def message(**changes: Any) -> dict[str, Any]:
    return {**BODY, "choices": [{**CHOICE, "message": {**MESSAGE, **changes}}]}


def usage(**changes: Any) -> dict[str, Any]:
    return {**BODY, "usage": {**USAGE, **changes}}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in BODY.items() if key != name}


MALFORMED: dict[str, Any] = {
    "NaN in logprobs": {**BODY, "choices": [{**CHOICE, "logprobs": {"content": [{"token": "a", "logprob": NAN}]}}]},
    "infinity": {**BODY, "timings": {"x": float("inf")}},
    "model is a list": {**BODY, "model": ["m"]},
    "message null": {**BODY, "choices": [{**CHOICE, "message": None}]},
    "no message": {**BODY, "choices": [{"index": 0, "finish_reason": "stop"}]},
    "choices an object": {**BODY, "choices": CHOICE},
    "choices of texts": {**BODY, "choices": ["42"]},
    "choices of null": {**BODY, "choices": [None]},
    "choices null": {**BODY, "choices": None},
    "content a number": message(content=42),
    "content an object": message(content={"text": "42"}),
    "a part without text": message(content=[{"type": "text"}]),
    "an image": message(content=[{"type": "image_url", "image_url": {"url": "x"}}]),
    "reasoning a number": message(reasoning_content=1),
    "tool calls an object": message(tool_calls={"a": 1}),
    "negative usage": usage(completion_tokens=-3),
    "usage a text": usage(prompt_tokens="3"),
    "usage half a token": usage(prompt_tokens=1.5),
    "usage a list": {**BODY, "usage": [3, 3]},
    "cached a text": usage(prompt_tokens_details={"cached_tokens": "1"}),
    "an error": {"error": {"message": "boom"}},
    "a list": [BODY],
    "a text": "42",
}
READABLE: dict[str, Any] = {
    "no model": without("model"),
    "model null": {**BODY, "model": None},
    "no usage": without("usage"),
    "usage null": {**BODY, "usage": None},
    "no role": {**BODY, "choices": [{**CHOICE, "message": {"content": FIELDS}}]},
    "parts": message(content=[{"type": "text", "text": FIELDS[:20]}, {"type": "text", "text": FIELDS[20:]}]),
    "one part": message(content=TEXT),
    "thinking parts": message(
        content=[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": FIELDS}]
    ),
    "half an emoji": message(content=FIELDS.replace("\nw\n", "\nw \ud83d\n")),
    "whole floats": usage(prompt_tokens=3.0),
    "role of others": message(role="model"),
    "role a number": message(role=1),
    "finish a number": {**BODY, "choices": [{**CHOICE, "finish_reason": 7}]},
    "model a number": {**BODY, "model": 5},
    "no tool calls": message(tool_calls={}),
    "a reference beside": message(content=[TEXT, {"type": "reference", "reference_ids": [0]}]),
    "a refusal beside": message(content=[TEXT, {"type": "refusal", "refusal": "no"}]),
    "a hidden thinking beside": message(content=[{"type": "redacted_thinking", "data": "zz"}, TEXT]),
    "an image beside": message(content=[TEXT, {"type": "image_url", "image_url": {"url": "x"}}]),
    "a part without its text beside": message(content=[TEXT, {"type": "text", "text": None}]),
    "reasoning an object": message(reasoning={"content": "hm"}),
    "logprobs a list": {**BODY, "choices": [{**CHOICE, "logprobs": []}]},
    "logprobs of old": {**BODY, "choices": [{**CHOICE, "logprobs": {"tokens": ["a"], "token_logprobs": [-1.0]}}]},
    "logprobs of no token": {**BODY, "choices": [{**CHOICE, "logprobs": {"content": [{"token": None, "logprob": 1}]}}]},
    "logprobs in short": {**BODY, "choices": [{**CHOICE, "logprobs": {"content": [{"token": "a", "logprob": -1}]}}]},
    "a token that never comes": {
        **BODY, "choices": [{**CHOICE, "logprobs": {"content": [{"token": "a", "logprob": float("-inf")}]}}],
    },
    "a deep field that nobody knows": {**BODY, "x": nested(600)},
    "a little deep": {**BODY, "x": nested(65)},
    "no finish": {**BODY, "choices": [{"index": 0, "message": MESSAGE}]},
}  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_completion_is_tried_again_and_not_kept(fake_vllm: FakeVLLM, body: Any) -> None:
    store = MemoryStore()
    fake_vllm.then(Reply(raw=json.dumps(body)))
    with open_endpoint(fake_vllm, store=store) as endpoint:
        out, records = recorded(endpoint)
        assert out == ["ok"]
        assert [r.outcome for r in records] == ["server", "ok"]
        assert len(store) == 1
        fake_vllm.then(Reply(raw=json.dumps(body)))
    with open_endpoint(fake_vllm, store=store, retries=0) as endpoint:
        assert isinstance(outcome(endpoint, "another"), ServerFailure)
        assert len(store) == 1


@pytest.mark.parametrize("body", READABLE.values(), ids=READABLE.keys())
def test_what_is_meant_is_read(fake_vllm: FakeVLLM, body: Any, tmp_path: Path) -> None:
    fake_vllm.answer = Reply(raw=json.dumps(body))
    for _ in range(2):  # the second time out of the store
        with open_endpoint(fake_vllm, store=FileStore(tmp_path), retries=0) as endpoint, dspy.context(lm=endpoint.lm):
            prediction = LongCoT("problem -> answer", budget="tokens=1k")(problem="q")
            assert prediction.answer == "42"
            hashlib.sha256(prediction.run.rounds[0].drafts[0].solution.encode())
    assert len(fake_vllm.calls) == 1


def test_what_can_not_be_read_is_kept_as_it_was_sent() -> None:
    parts = [TEXT, {"type": "reference", "reference_ids": [0]}]
    deep = decoded(json.dumps({**message(content=parts, role="model", tool_calls={}), "x": nested(70)}))
    deep["choices"][0]["logprobs"] = [1]
    body = checked(deep)
    (choice,) = body["choices"]
    assert (choice["message"]["content"], choice["message"]["role"]) == (FIELDS, "assistant")
    assert [choice["message"][f"{name}_as_sent"] for name in ("content", "role", "tool_calls")] == [parts, "model", {}]
    assert (choice["logprobs"], choice["logprobs_as_sent"]) == (None, [1])
    assert "[[1]]" in json.dumps(body["x"]) and checked(body) == body


def test_one_of_eight_costs_one(fake_vllm: FakeVLLM) -> None:
    bad = json.dumps(MALFORMED["NaN in logprobs"])
    fake_vllm.answer = lambda c: Reply(raw=bad if c.number == 3 else json.dumps(BODY))
    with open_endpoint(fake_vllm, retries=0) as endpoint, dspy.context(lm=endpoint.lm):
        run = MajorityVote("problem -> answer", width=8, budget="tokens=1k")(problem="q").run
    assert len(run.rounds[0].drafts) == 7 and dict(run.dropped) == {"server": 1}


@pytest.mark.parametrize("name", ["NaN in logprobs", "message null", "negative usage", "choices null"])
def test_one_that_is_in_a_store_is_asked_for_again_once(fake_vllm: FakeVLLM, tmp_path: Path, name: str) -> None:
    class Poisoned(FileStore):
        """A store in which an older version kept the body."""

        def put(self, key: str, completion: StoredCompletion) -> None:
            body = MALFORMED[name] if not len(self) else completion.body
            super().put(key, StoredCompletion(body, 1.0, None, 0.0, 5, completion.replica))

    with open_endpoint(fake_vllm, store=Poisoned(tmp_path)) as endpoint:
        assert outcome(endpoint) == ["ok"]
    for said in (1, 0):
        with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
            assert outcome(endpoint) == ["ok"]
            assert sum("put aside" in warning for warning in endpoint.stats.warnings) == said
        assert len(fake_vllm.calls) == 2
    (aside,) = (json.loads(line) for file in (tmp_path / "rejected").iterdir() for line in file.open())
    assert aside["key"] in aside["record"] and "MalformedBody" in aside["why"]
    assert FileStore(tmp_path).report.rejected == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*BODY, *CHOICE, *MESSAGE]), inner),
    max_leaves=8,
)


@given(body=JSON | st.builds(lambda part, name: {**BODY, name: part}, JSON, st.sampled_from(sorted(BODY))))
def test_any_json_is_a_completion_or_a_malformed_body(body: Any) -> None:
    try:
        read = checked(body, "m")
    except MalformedBody:
        return
    json.dumps(read, allow_nan=False).encode()
    assert checked(read) == read


@given(text=st.text(alphabet=st.sampled_from("a\ud83d\ude42🙂é"), max_size=12))
def test_half_characters_are_replaced_one_for_one(text: str) -> None:
    clean = whole(text)
    clean.encode()
    assert len(clean) == len(text) and is_whole(clean)
    assert is_whole(text) == (clean == text)
    assert whole_json({text: [text, 1]}) == {clean: [clean, 1]}


def test_half_a_character_in_a_prompt_is_sent_replaced_and_told_once(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
        assert outcome(endpoint, "What is \ud83d 3+3?") == ["ok"]
        assert outcome(endpoint, "What is \ud83d 4+4?") == ["ok"]
        assert endpoint.tokenizer.count("a \ud83d b") == 3
        assert endpoint.tokenizer.cut("a \ud83d b", 2) == "a \ud83d"
        (warning,) = endpoint.stats.warnings
    assert "half a character" in warning
    assert fake_vllm.calls[0].prompt == "What is \ufffd 3+3?"


def test_a_long_prompt_with_half_a_character_is_counted(start_fake: Callable[..., FakeVLLM]) -> None:
    server = start_fake(context=200)
    with open_endpoint(server) as endpoint:
        assert outcome(endpoint, "\ud83d word " * 50, max_tokens=500) == ["ok"]
