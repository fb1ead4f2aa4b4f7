"""What crossed a cancellation: the server's counter tells it exactly, else there is a bound."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import pytest
from fakes.counting import CountingVLLM, Fault
from fakes.vllm import FakeVLLM, Reply
from hypothesis import given
from hypothesis import strategies as st

from optimize.reporting.uncounted import lost, reading
from pdr_dspy import bridge
from pdr_dspy.endpoint.served import crossed
from pdr_dspy.ledger import open_ledger

from .support import open_endpoint, outcome


async def _cut(lm: object, server: CountingVLLM) -> None:
    call = asyncio.ensure_future(lm.acall("cut", max_tokens=40))  # type: ignore[attr-defined]
    while server.faults["cut"]:
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


def test_what_was_cut_off_or_lost_has_a_bound_and_the_server_says_how_much_it_was() -> None:
    with CountingVLLM() as server, open_endpoint(server, retries=1) as endpoint, open_ledger() as ledger:
        outcome(endpoint, "before", max_tokens=40)
        before = reading(endpoint)
        assert lost(before, before) == ""
        server.faults |= {
            "cut": deque([Fault("hang", tokens=9)]),
            "lost": deque([Fault("status", status=504, tokens=7), Fault("status", status=429, after=False)]),
            "fine": deque([Fault(tokens=11)]),
        }
        bridge.run(_cut(endpoint.lm, server))
        for text in ("lost", "fine"):
            outcome(endpoint, text, max_tokens=40)
        after = reading(endpoint)
    assert [(r.outcome, r.completion_tokens, r.uncounted) for r in ledger.records] == [
        ("ok", 12, 0), ("cutoff", 0, 40), ("timeout", 0, 40), ("server", 0, 0), ("ok", 11, 0),
    ]  # fmt: skip
    sums = ledger.meters()
    assert (sums.total_generated, sums.uncounted_at_most, sums.unreported) == (23, 80, 3)
    assert endpoint.stats.uncounted_at_most == 80
    assert after.served == server.generated == 12 + 9 + 7 + 11
    assert "at most 80 tokens" in lost(before, after) and "the server counts 16," in lost(before, after)


@pytest.mark.parametrize("page", ["", "<html>", "vllm:generation_tokens_total{} 7\n", None])
def test_where_the_server_does_not_say_the_bound_stands_alone(
    start_fake: Callable[..., FakeVLLM], monkeypatch: pytest.MonkeyPatch, page: str | None
) -> None:
    server = start_fake(answer=Reply(status=500))
    with open_endpoint(server, retries=0) as endpoint:
        if page is None:
            server.stop()
        else:
            monkeypatch.setattr(server, "metrics", lambda: {f"{page} #": 0})
        before = reading(endpoint)
        if page is not None:
            outcome(endpoint)
        assert before.served is None
        if page is not None:
            assert (
                lost(before, reading(endpoint))
                == "at most 50 tokens of calls that were cut off or whose answer was lost"
            )


def test_only_the_models_own_counter_is_read(start_fake: Callable[..., FakeVLLM]) -> None:
    server, other = start_fake(answer="one two"), start_fake(answer="one two three")
    with open_endpoint(server, other) as endpoint:
        assert endpoint.served() == 0
        for text in "abcd":
            outcome(endpoint, text)
        assert endpoint.served() == server.completion_tokens + other.completion_tokens == endpoint.stats.fresh_tokens
        other.model = "another"
        assert endpoint.served() is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_crossed_is_within_its_bound(start: int, counted: int, really: int, at_most: int) -> None:
    found = crossed(start, start + counted + really, counted, at_most)
    assert found == (really if really <= at_most else None)
    assert crossed(None, 5, 0, 9) is crossed(5, None, 0, 9) is crossed(9, 3, 0, 9) is None
