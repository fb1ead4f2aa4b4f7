"""The app over a pipeline that writes seeds: no model, no process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from pdr_dspy.embedded.access import DEFAULT_ACCESS, Access
from pdr_dspy.embedded.app import build_app
from pdr_dspy.embedded.chat import ChatTokenizer
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


def service_of(folder: Path, context: int = 100) -> tuple[Service, EngineThread]:
    """A service, and its engine that does not run yet."""
    engine = EngineThread(Seeds(), 4, 10**9, lambda: None)
    model = ModelFiles(folder, context, frozenset(), {}, "r", 0)
    return Service("m", model, ChatTokenizer(folder), engine, split_thinking=True), engine


@asynccontextmanager
async def served(
    folder: Path, access: Access = DEFAULT_ACCESS, context: int = 100
) -> AsyncIterator[tuple[httpx.AsyncClient, Service]]:
    """A client of the app, and the service behind it."""
    service, engine = service_of(folder, context)
    engine.listen(asyncio.get_running_loop())
    transport = httpx.ASGITransport(build_app(service, access))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client, service
    assert engine.in_flight == 0 and engine.alive
    engine.close()
