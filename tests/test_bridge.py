"""The one loop: from threads, from other loops, with context, cancellable."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from pdr_dspy import bridge

WHO: ContextVar[str] = ContextVar("who", default="nobody")


async def here() -> tuple[str, int]:
    await asyncio.sleep(0)
    return WHO.get(), threading.get_ident()


def test_callers_of_every_kind_share_one_thread_and_keep_their_context() -> None:
    def call(name: str) -> tuple[str, int]:
        WHO.set(name)
        return bridge.run(here())

    async def elsewhere() -> tuple[str, int]:
        WHO.set("async")
        return await bridge.on_loop(here())

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(call, [f"t{i}" for i in range(8)]))
    results.append(asyncio.run(elsewhere()))
    assert [name for name, _ in results] == [f"t{i}" for i in range(8)] + ["async"]
    assert len({thread for _, thread in results}) == 1
    assert threading.get_ident() not in {thread for _, thread in results}


def test_errors_come_back() -> None:
    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        bridge.run(fail())


def test_a_cancelled_caller_cancels_the_work() -> None:
    ended = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def caller() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bridge.on_loop(work()), 0.05)

    asyncio.run(caller())
    assert ended.wait(2)


def test_a_cancelled_future_cancels_the_work_even_before_it_began() -> None:
    future = bridge.submit(asyncio.sleep(60))
    future.cancel()
    time.sleep(0.05)
    assert future.cancelled()


def test_waiting_for_the_loop_from_the_loop_is_refused() -> None:
    async def inner() -> str:
        with pytest.raises(RuntimeError, match="async form"):
            bridge.run(here())
        return "refused"

    assert bridge.run(inner()) == "refused"
