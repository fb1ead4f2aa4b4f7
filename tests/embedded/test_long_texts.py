"""Long texts keep nobody waiting: they are tokenised in a thread, or refused by their length alone."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.embedded.chat import SHORT, ChatTokenizer
from pdr_dspy.embedded.serve import WEIGHTS

from .support import CHAT, GOOD, served

SHIPPED = ChatTokenizer(WEIGHTS)
LONG = "make 41 from 13, 7, 4\n" * 500


SPECIAL = [t["content"] for t in json.loads((WEIGHTS / "tokenizer.json").read_text())["added_tokens"]]
pieces = st.lists(st.sampled_from(SPECIAL) | st.text(max_size=5) | st.sampled_from(["make ", "7, ", "\n"]), max_size=40)


@given(st.text(max_size=300) | pieces.map("".join))
def test_a_text_has_no_fewer_tokens_than_its_bound(text: str) -> None:
    ids = SHIPPED.encode(text)
    assert SHIPPED.least_tokens(text) <= max(1, len(ids))


def test_the_bound_is_of_use() -> None:
    assert 1 + len(LONG) // 20 < SHIPPED.least_tokens(LONG) <= len(SHIPPED.encode(LONG))


def test_long_and_short_texts_have_the_same_tokens() -> None:
    assert len(LONG) > SHORT
    lines = LONG.splitlines(keepends=True)
    assert SHIPPED.decode(SHIPPED.encode(LONG)) == LONG
    assert SHIPPED.encode(LONG)[:100] == SHIPPED.encode("".join(lines[:50]))[:100]


@pytest.mark.parametrize("path", ["/tokenize", CHAT])
async def test_others_are_answered_meanwhile(tokenizer_dir: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    begun, may_go_on = threading.Event(), threading.Event()
    encode = ChatTokenizer.encode

    def slow(self: ChatTokenizer, text: str, add_special_tokens: bool = False) -> list[int]:
        if len(text) > SHORT:
            begun.set()
            assert may_go_on.wait(60)
        return encode(self, text, add_special_tokens)

    monkeypatch.setattr(ChatTokenizer, "encode", slow)
    body: dict[str, Any] = {**GOOD, "messages": [{"role": "user", "content": "a" * 5000}]}
    async with served(tokenizer_dir, context=6000) as (client, _):
        waiting = asyncio.create_task(client.post(path, json={"prompt": "a" * 5000} if path == "/tokenize" else body))
        await asyncio.to_thread(begun.wait)
        assert (await client.post(CHAT, json=GOOD)).status_code == 200
        assert not waiting.done()
        may_go_on.set()
        assert (await waiting).status_code == 200


async def test_a_text_that_cannot_fit_is_not_tokenised(tokenizer_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> list[int]:
        raise AssertionError("tokenised")

    monkeypatch.setattr(ChatTokenizer, "encode", never)
    body = {**GOOD, "messages": [{"role": "user", "content": "a" * 50_000}]}
    async with served(tokenizer_dir) as (client, _):
        answer = await client.post(CHAT, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "input_tokens")
    assert "maximum context length is 100 tokens" in error["message"]
