"""Servers that are not vLLM, or not quite: each works with what it says, or is an error that says what is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dspy
import pytest
from fakes.vllm import FakeVLLM, Reply, _send

from pdr_dspy.endpoint.cards import as_length
from pdr_dspy.errors import EndpointError
from pdr_dspy.modules import PDR, LongCoT
from pdr_dspy.workspace import ByteTokenizer

from .support import open_endpoint, recorded

FIELDS = "[[ ## solution ## ]]\nw\n\n[[ ## answer ## ]]\n42\n\n[[ ## workspace ## ]]\n{}\n\n[[ ## completed ## ]]"


class OddTokens(FakeVLLM):
    """Its /tokenize and /detokenize say what a test wants."""

    tokenized: Any = None
    detokenized: Any = None

    async def _tokenize(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        await _send(writer, 200, json.dumps(self.tokenized))

    async def _route(self, method: str, path: str, *rest: Any) -> bool:
        if path == "/detokenize":
            await _send(rest[-1], 200, json.dumps(self.detokenized))
            return True
        return await super()._route(method, path, *rest)


class LlamaServer(FakeVLLM):
    """llama.cpp's: it reads `content`, knows no chat, and answers everything else with nothing."""

    decodes = True

    async def _tokenize(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        text = body.get("content", "")
        await _send(writer, 200, json.dumps({"tokens": self._ids(text) if text else []}))

    async def _route(self, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> bool:
        if path == "/detokenize":
            text = self._text_of(json.loads(body).get("tokens", []))
            await _send(rest[-1], 200 if self.decodes else 404, json.dumps({"content": text}))
            return True
        return await super()._route(method, path, headers, body, *rest)


@contextmanager
def odd(tokenized: Any, detokenized: Any = None, **options: Any) -> Iterator[OddTokens]:
    with OddTokens(**options) as server:
        server.tokenized, server.detokenized = tokenized, detokenized
        yield server


SHAPES: dict[str, Any] = {
    "list of ids": [1, 2, 3],
    "TGI": [{"id": 1, "text": "a", "start": 0, "stop": 1}],
    "null": None,
    "a number": 3,
    "a text": "no",
    "tokens null": {"tokens": None},
    "tokens empty": {"tokens": []},
    "tokens are words": {"tokens": ["a", "b"] * 20, "count": 40},
    "an error": {"error": "x"},
    "count only": {"count": 5},
    "nested": {"tokens": [[1, 2, 3]], "count": [3]},
    "negative": {"tokens": [-1] * 30},
    "floats": {"tokens": [1.5] * 30},
    "always the same few": {"tokens": [1, 2], "count": 2},
    "far too many": {"tokens": [7] * 5000, "count": 5000},
    "never back": {"tokens": [7] * 30, "count": 30},
}


@pytest.mark.parametrize("tokenized", SHAPES.values(), ids=SHAPES.keys())
def test_what_is_no_tokenizer_is_not_used_and_said_once(tokenized: Any) -> None:
    with (
        odd(tokenized, {"prompt": "something else"}, answer=FIELDS.format("note " * 900), context=4096) as server,
        open_endpoint(server) as endpoint,
        dspy.context(lm=endpoint.lm),
    ):
        assert isinstance(endpoint.tokenizer, ByteTokenizer)
        prediction = PDR("problem -> answer", "programs/pdr_small.yaml")(problem="q")
        assert prediction.answer == "42"
        kappa = 2048
        assert all(len(w.encode()) <= kappa for r in prediction.run.rounds for w in r.workspaces)
        assert all(c.cap is not None and c.cap + c.prompt_tokens <= 4096 for c in server.calls)
        (warning,) = endpoint.stats.warnings
        assert "/tokenize" in warning and "bytes" in warning


def test_tokens_that_can_not_be_made_text_again_are_still_counted() -> None:
    with LlamaServer() as server:
        server.decodes = False
        with open_endpoint(server) as endpoint:
            assert endpoint.tokenizer.count("a b c d") == 4
            assert endpoint.tokenizer.cut("aa bb cc dd", 2).rstrip() == "aa bb"
            assert not endpoint.stats.warnings


@pytest.mark.parametrize("states", [True, False])
def test_llama_cpp_counts_and_cuts_and_its_caps_are_clamped(states: bool) -> None:
    with LlamaServer(answer=FIELDS.format("note " * 500), context=4096) as server:
        server.states_context = states
        with open_endpoint(server) as endpoint, dspy.context(lm=endpoint.lm):
            assert endpoint.tokenizer.count("hello big world") == 3
            assert endpoint.tokenizer.cut("hello big world", 2) == "hello big"
            if states:
                assert LongCoT("problem -> answer")(problem="q " * 300).answer == "42"
                assert 2500 < (server.calls[-1].cap or 0) < 4096
            run = PDR("problem -> answer", "programs/pdr_small.yaml", budget="tokens=4k")(problem="q").run
            assert all(server.count(w) > 0 for w in run.rounds[-1].workspaces)


@pytest.mark.parametrize("words", [200, 700, 3500])
def test_a_bound_makes_a_cap_smaller_and_refuses_nothing(words: int) -> None:
    with FakeVLLM(tokenizer=None, context=4096) as server, open_endpoint(server) as endpoint:
        out, (record,) = recorded(endpoint, "a bb ccc " * (words // 3), max_tokens=3500)
        assert out == ["ok"]
        assert server.calls[0].cap == record.max_tokens >= 512
        assert recorded(endpoint, "a bb ccc " * (words // 3), max_tokens=20)[1][0].max_tokens == 20


CARD = {"id": "fake-model", "object": "model"}
USABLE: list[tuple[dict[str, Any], int]] = [
    ({"max_model_len": 8192}, 8192),
    ({"max_model_len": "8192"}, 8192),
    ({"max_model_len": " 8,192 tokens"}, 8192),
    ({"max_model_len": 8192.0}, 8192),
    ({"max_model_len": "8k"}, 8000),
    ({"max_model_len": "32K"}, 32768),
    ({"max_model_len": -1}, 4096),
    ({"max_model_len": 0}, 4096),
    ({"max_model_len": None}, 4096),
    ({"max_model_len": [8192]}, 4096),
    ({"max_model_len": "auto"}, 4096),
    ({"max_model_len": True}, 4096),
    ({"max_model_len": 1e300}, 4096),
    ({"max_model_len": -1, "max_input_tokens": 2048}, 2048),
    ({"max_input_tokens": 262144}, 262144),
    ({"meta": {"n_ctx_train": 32768}}, 32768),
    ({"meta": {"n_ctx_train": 32768, "n_ctx": 16384}}, 16384),
    ({"meta": [1]}, 4096),
    ({"root": ["a"]}, 4096),
    ({"root": {"a": 1}, "revision": 7}, 4096),
    ({"root": "../../etc"}, 4096),
    ({"root": "/models/x\0"}, 4096),
    ({"root": "half \ud83d"}, 4096),
    ({"pdr": 3}, 4096),
]


@pytest.mark.parametrize(("said", "context"), USABLE, ids=[str(said) for said, _ in USABLE])
def test_a_card_works_with_a_sensible_context(said: dict[str, Any], context: int) -> None:
    listed = {"object": "list", "data": [{**CARD, **said}, {**CARD, **said}]}  # one card twice is one model
    with FakeVLLM(models_reply=Reply(raw=json.dumps(listed))) as server, open_endpoint(server) as endpoint:
        assert endpoint.context == context
        assert recorded(endpoint)[0] == ["ok"]
        assert isinstance(endpoint.identity.root, str) and isinstance(endpoint.identity.revision, str)


def test_a_context_that_is_none_is_named() -> None:
    listed = {"data": [{**CARD, "max_model_len": "auto"}]}
    server = FakeVLLM(models_reply=Reply(raw=json.dumps(listed)), tokenizer=None)
    with server, open_endpoint(server) as endpoint:
        assert any("'auto'" in warning for warning in endpoint.stats.warnings)


@pytest.mark.parametrize(
    "listed",
    [
        {"data": None}, {"data": {"id": "fake-model"}}, [{"id": "fake-model"}], {"models": [{"name": "fake-model"}]},
        {"data": [{"id": 7}]}, {"data": [{"id": None}]}, {"data": [{"id": " "}]}, {"data": ["fake-model"]},
        "fake-model", {"error": {"message": "boom"}}, 3, None,
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_list_of_models_is_said(listed: Any) -> None:
    with FakeVLLM(models_reply=Reply(raw=json.dumps(listed))) as server, pytest.raises(EndpointError) as caught:
        open_endpoint(server)
    assert "OpenAI-style" in caught.value.problem


def test_lengths_as_people_write_them() -> None:
    assert [as_length(v) for v in ("1m", "1.5K", "8_192", "-5", "", "k", float("nan"), 15, 2**40)] == [
        1_000_000, 1536, 8192, None, None, None, None, None, None,
    ]  # fmt: skip
