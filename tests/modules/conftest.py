"""A fake model that answers every stage, and an endpoint in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes.stages import by_stage
from fakes.vllm import FakeVLLM

from pdr_dspy.endpoint import Endpoint, EndpointSettings


@pytest.fixture
def model() -> Iterator[FakeVLLM]:
    """The fake model's server."""
    with FakeVLLM(answer=by_stage, context=8192, tokenizer="words") as server:
        yield server


@pytest.fixture
def endpoint(model: FakeVLLM) -> Iterator[Endpoint]:
    """An endpoint in front of it."""
    with Endpoint.open(EndpointSettings(urls=(model.url,), retries=1)) as opened:
        yield opened
