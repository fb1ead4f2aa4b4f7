"""What fails inside the server fails one request, and the others never hear of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from pdr_dspy.embedded.app import build_app
from pdr_dspy.embedded.chat import ChatTokenizer, IncrementalText
from pdr_dspy.embedded.engine_thread import EngineThread
from pdr_dspy.embedded.jobs import Drawn, Sampling
from pdr_dspy.embedded.model import ModelFiles
from pdr_dspy.embedded.service import Service

CHAT = "/v1/chat/completions"
GOOD: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3}


class Same:
    """One sequence: its seed, again and again."""

    def __init__(self, token: int, most: int) -> None:
        self.token, self.most, self.made = token, most, 0

    def read(self) -> Drawn:
        self.made += 1
        return Drawn([self.token], "length" if self.made == self.most else None)

    def cancel(self) -> None:
        self.most = self.made + 1


class Seeds:
    """A pipeline that writes each sequence's seed as its token."""

    logprobs = False

    def add(self, prompt: Sequence[int], sampling: Sampling, max_tokens: int, stop_ids: frozenset[int]) -> Same:
        if sampling.seed == 13:
            raise TypeError("incompatible function arguments")
        return Same(sampling.seed, max_tokens)

    def step(self) -> None:
        pass


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Service]]:
    """The app over a pipeline that writes seeds."""
    engine = EngineThread(Seeds(), 4, 10**9, lambda: None)
    engine.listen(asyncio.get_running_loop())
    model = ModelFiles(folder, 100, frozenset(), {}, "r", 0)
    service = Service("m", model, ChatTokenizer(folder), engine, split_thinking=True)
    transport = httpx.ASGITransport(build_app(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client, service
    assert engine.in_flight == 0 and engine.alive
    engine.close()


async def ask(client: httpx.AsyncClient, seed: int, **more: Any) -> httpx.Response:
    return await client.post(CHAT, json={**GOOD, "seed": seed, **more})


def refused(answer: httpx.Response) -> str:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (500, 500, "InternalServerError")
    return str(error["message"])


async def test_a_request_that_the_engine_refuses(tokenizer_dir: Path) -> None:
    async with served(tokenizer_dir) as (client, _):
        bad, good = await asyncio.gather(ask(client, 13), ask(client, 40))
        assert "incompatible function arguments" in refused(bad)
        assert good.json()["usage"]["completion_tokens"] == 3


async def test_tokens_that_cannot_be_read(tokenizer_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = IncrementalText.feed

    def fails_on_66(self: IncrementalText, token: int) -> str:
        if token == 66:
            raise RuntimeError("invalid prefix")
        return feed(self, token)

    monkeypatch.setattr(IncrementalText, "feed", fails_on_66)
    async with served(tokenizer_dir) as (client, service):
        bad, good = await asyncio.gather(ask(client, 66), ask(client, 40))
        assert "can't be read" in refused(bad) and "invalid prefix" in refused(bad)
        assert good.status_code == 200
        streamed = await ask(client, 66, stream=True)
        assert '"code":500' in streamed.text and streamed.text.endswith("data: [DONE]\n\n")
        while service.engine.in_flight:
            await asyncio.sleep(0)
        assert service.metrics.finished["error"] == 2


async def test_a_fault_of_the_server_itself(tokenizer_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tokenizer_dir) as (client, service):

        def broken(*_: object) -> None:
            raise ZeroDivisionError("secret detail")

        with monkeypatch.context() as patch:
            patch.setattr(service, "generation", broken)
            message = refused(await ask(client, 40))
        assert "ZeroDivisionError" in message and "secret" not in message
        assert (await ask(client, 40)).status_code == 200


@pytest.mark.parametrize("name", ["self", "messages", "text", "bos_token", "raise_exception", "add_generation_prompt"])
async def test_template_variables_of_any_name(tokenizer_dir: Path, name: str) -> None:
    async with served(tokenizer_dir) as (client, _):
        assert (await ask(client, 40, chat_template_kwargs={name: 1})).status_code == 200


async def test_an_empty_prompt(tokenizer_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(tokenizer_dir, tmp_path, dirs_exist_ok=True)
    (tmp_path / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    async with served(tmp_path) as (client, _):
        answer = await ask(client, 40, messages=[{"role": "user", "content": ""}])
        assert answer.status_code == 400 and "empty prompt" in answer.text
