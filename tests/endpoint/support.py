"""Small helpers for the endpoint's tests: open an endpoint that retries quickly, make many calls at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from fakes.vllm import FakeVLLM

from pdr_dspy import bridge
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.endpoint import Allowance, Endpoint, EndpointSettings, Secret, Store
from pdr_dspy.errors import CallError, InputError
from pdr_dspy.ledger import PROBE, CallRecord, Ledger, open_ledger

KEY = "sk-very-secret-0123456789"


def open_endpoint(
    *servers: FakeVLLM, store: Store | None = None, allowance: Allowance | None = None, **settings: Any
) -> Endpoint:
    """An endpoint over fake servers, with back-off too short to notice."""
    values: dict[str, Any] = {"api_key": Secret(""), "backoff": 0.01, "connect_timeout": 2.0, **settings}
    return Endpoint.open(EndpointSettings(tuple(s.url for s in servers), **values), store, allowance)


def call(endpoint: Endpoint, text: str = "hello", tag: CallTag | None = None, **config: Any) -> Any:
    """One synchronous call; the LM's outputs."""
    with tagged(tag or CallTag()):
        return endpoint.lm(text, **{"max_tokens": 50, **config})


def outcome(endpoint: Endpoint, text: str = "hello", tag: CallTag | None = None, **config: Any) -> BaseException | Any:
    """One call: its outputs, or the typed error behind what DSPy raises."""
    try:
        return call(endpoint, text, tag, **config)
    except Exception as error:
        return typed(error)


def typed(error: BaseException) -> BaseException:
    """The library's own error in an exception's chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CallError | InputError):
            return cause
        cause = cause.__cause__
    raise error


def recorded(endpoint: Endpoint, *args: Any, **kwargs: Any) -> tuple[Any, tuple[CallRecord, ...]]:
    """`outcome`, and the records it left, without the probe's."""
    with open_ledger() as ledger:
        result = outcome(endpoint, *args, **kwargs)
    return result, tuple(r for r in ledger.records if r.stage != PROBE)


def burst(endpoint: Endpoint, tags: Sequence[CallTag], **config: Any) -> tuple[list[Any], Ledger]:
    """Calls at once on the library's loop, one for each tag (seeded by its index); outputs or typed errors."""

    async def one(tag: CallTag) -> Any:
        with tagged(tag):
            try:
                return await endpoint.lm.acall("hello", **{"max_tokens": 50, "seed": tag.index, **config})
            except Exception as error:
                return typed(error)

    async def every() -> list[Any]:
        return list(await asyncio.gather(*map(one, tags)))

    with open_ledger() as ledger:
        results = bridge.run(every())
    return results, ledger


async def arrived(server: FakeVLLM, count: int = 1) -> None:
    """Wait until a server has been asked so many times."""
    while len(server.calls) < count:
        await asyncio.sleep(0.01)


async def cut_off(endpoint: Endpoint, server: FakeVLLM, tag: CallTag | None = None) -> None:
    """Cancel a call that the server has received."""
    with tagged(tag or CallTag()):
        task = asyncio.ensure_future(endpoint.lm.acall("hello", max_tokens=5))
    await arrived(server)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def drafts(width: int, sample: int = 0) -> list[CallTag]:
    """Tags of a round of drafts."""
    return [CallTag(stage="draft", index=i, sample=sample) for i in range(width)]
