"""What fails inside the server fails one request, and the others never hear of it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from pdr_dspy.embedded.chat import IncrementalText

from .support import CHAT, GOOD, served


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

        async def broken(*_: object) -> None:
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
