"""Fixtures shared by all rooms: scripted stand-ins for a vLLM server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
sys.path.insert(0, str(Path(__file__).parent))  # `from fakes.vllm import ...` in every room's tests

import pytest
from fakes.vllm import FakeVLLM
from hypothesis import settings

# Time limits of single examples say more about the machine's load than about the code.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


@pytest.fixture
def start_fake() -> Iterator[Callable[..., FakeVLLM]]:
    """A factory of running fake servers (arguments as `FakeVLLM`'s), all stopped at the end of the test."""
    servers: list[FakeVLLM] = []

    def start(**options: Any) -> FakeVLLM:
        servers.append(FakeVLLM(**options).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def fake_vllm(start_fake: Callable[..., FakeVLLM]) -> FakeVLLM:
    """One running fake server: model `fake-model`, context 4096, words as tokens, every answer "ok"."""
    return start_fake()
