"""Booked is never less than the server generated, at any instant and under every fault, and where every answer arrived
it is the same. The server keeps a count of its own."""

from __future__ import annotations

import asyncio
import itertools
import socketserver
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fakes.counting import CountingVLLM, Fault
from fakes.faults import FAULTS
from fakes.vllm import FakeVLLM
from hypothesis import given, settings
from hypothesis import strategies as st

from pdr_dspy import bridge
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.endpoint import FileAllowance
from pdr_dspy.endpoint.booking import bounds_of
from pdr_dspy.endpoint.delivery import REFUSALS
from pdr_dspy.errors import InputError, ServerFailure
from pdr_dspy.ledger import open_ledger

from .support import open_endpoint, outcome, typed

ARRIVES = {"answer", "cap ignored", "broken off", *(f"{status} before" for status in REFUSALS)}
"""After these the count is known to the token."""


@dataclass(frozen=True)
class Asked:
    """One call: what becomes of its requests, its cap, its candidates (DSPy's, a request each), the choices of each
    request, its cap on thinking, whether it is cancelled."""

    faults: tuple[str, ...]
    cap: int
    candidates: int
    choices: int
    thinking: int | None
    cancelled: bool


ASKED = st.builds(
    Asked,
    # A server that ignores the cap is booked when it says so, and not before.
    faults=st.lists(st.sampled_from(["answer", *(f for f in FAULTS if f != "cap ignored")]), max_size=3).map(tuple),
    cap=st.integers(1, 60),
    candidates=st.sampled_from([1, 1, 2]),
    choices=st.sampled_from([1, 1, 1, 3]),
    thinking=st.none() | st.integers(1, 30),
    cancelled=st.sampled_from([False] * 5 + [True]),
    # That one token is too few can be told of a text of many words alone.
).filter(lambda asked: "far too few" not in asked.faults or (asked.cap >= 20 and asked.thinking is None))


@pytest.fixture(scope="module")
def server() -> Iterator[CountingVLLM]:
    with CountingVLLM() as running:
        yield running


NAMES = itertools.count()


async def ask(lm: object, asked: Asked, server: CountingVLLM) -> None:
    """Make a call; how it ends is of no interest."""
    name = f"q{next(NAMES)}"
    faults = [FAULTS.get(fault, Fault()) for fault in asked.faults]
    server.faults[name] = deque([*faults, Fault("hang")] if asked.cancelled else faults)
    extra = {"n": asked.choices} if asked.choices > 1 else {}
    with tagged(CallTag(stage="draft", thinking=asked.thinking)):
        called = lm.acall(name, max_tokens=asked.cap, n=asked.candidates, extra_body=extra)  # type: ignore[attr-defined]
        task = asyncio.ensure_future(called)
    if asked.cancelled:
        while not task.done() and server.faults[name]:
            await asyncio.sleep(0.01)
        task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        typed(error)


@settings(max_examples=30)
@given(st.lists(ASKED, min_size=1, max_size=6), st.integers(1, 4), st.none() | st.integers(1, 400))
def test_booked_is_at_least_generated(server: CountingVLLM, calls: list[Asked], load: int, limit: int | None) -> None:
    with TemporaryDirectory() as directory:
        server.generated, short = 0, list[str]()

        def watch() -> None:  # what would count if the process were killed now
            if (booked := FileAllowance(directory).spent) < server.generated:
                short.append(f"{booked} booked of {server.generated}")

        server.watch = watch
        allowance = FileAllowance(directory, limit)

        async def every(lm: object) -> None:
            await asyncio.gather(*(ask(lm, asked, server) for asked in calls))

        with open_endpoint(
            server, allowance=allowance, load=load, retries=2, timeout=0.3, thinking="continue"
        ) as endpoint:
            bridge.run(every(endpoint.lm))
            stats, failures = endpoint.stats, endpoint.stats.failures
        watch()
        assert not short
        used = {fault for asked in calls for fault in asked.faults}
        if "far too many" not in used:
            assert allowance.spent == stats.fresh_tokens + stats.uncounted_at_most
            assert stats.fresh_tokens <= server.generated
        # Of an answer with several choices DSPy can't read any.
        lost = any(asked.cancelled or asked.choices > 1 for asked in calls)
        if used <= ARRIVES and not lost and not failures.get("timeout"):
            assert allowance.spent == server.generated
        assert limit is None or allowance.spent <= limit


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_at_a_time(server: CountingVLLM, tmp_path: Path, name: str) -> None:
    server.generated = 0
    server.watch = lambda: None
    fault = FAULTS[name]
    server.faults["hello"] = deque([fault] * 2)
    allowance = FileAllowance(tmp_path)
    with open_endpoint(
        server, allowance=allowance, retries=1, timeout=0.5 if fault.kind == "hang" else 60.0
    ) as endpoint:
        requests = len(server.calls)
        outcome(endpoint, max_tokens=60)
        requests = len(server.calls) - requests
    asked_at_most = 60 * requests + (30 if fault.beyond else 0)
    assert server.generated <= allowance.spent <= asked_at_most
    if name in ARRIVES:
        assert allowance.spent == server.generated
    assert requests <= 2  # LiteLLM, left alone, sends a request again whose connection was reset


class Plain(socketserver.BaseRequestHandler):
    """Speaks no TLS, and says so."""

    def handle(self) -> None:
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest) -> Iterator[str]:
    """An address at which nothing can be sent."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Plain) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        port = plain.server_address[1]
        if request.param == "refused":
            plain.shutdown()
            plain.server_close()
        yield {
            "refused": f"http://127.0.0.1:{port}/v1",
            "no TLS": f"https://127.0.0.1:{port}/v1",
            "no such host": "http://no-such-host.invalid/v1",
        }[request.param]
        plain.shutdown()


@pytest.mark.parametrize("elsewhere", ["refused", "no TLS", "no such host"], indirect=True)
def test_what_was_never_sent_costs_nothing(fake_vllm: FakeVLLM, tmp_path: Path, elsewhere: str) -> None:
    allowance = FileAllowance(tmp_path)
    with open_endpoint(fake_vllm, allowance=allowance, retries=1) as endpoint:
        endpoint._caller.replicas.all[0].url = elsewhere
        with open_ledger() as ledger:
            assert isinstance(outcome(endpoint), ServerFailure)
    assert ["no connection" in r.detail for r in ledger.records] == [True, True]
    assert allowance.spent == 0


def test_a_request_without_a_cap_counts_with_all_the_context_has_room_for(
    start_fake: Callable[..., FakeVLLM], tmp_path: Path
) -> None:
    server = start_fake(context=700)
    seen = []
    server.answer = lambda call: seen.append(FileAllowance(tmp_path).spent) or "one two three"
    with open_endpoint(server, allowance=FileAllowance(tmp_path)) as endpoint:
        assert outcome(endpoint, max_tokens=None) == ["one two three"]
    assert seen == [700] and FileAllowance(tmp_path).spent == server.completion_tokens
    server.states_context, server.tokenizer = False, None
    with open_endpoint(server, allowance=FileAllowance(tmp_path)) as endpoint:
        error = outcome(endpoint, max_tokens=None)
        assert isinstance(error, InputError) and error.field == "max_tokens" and len(seen) == 1


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ({"max_tokens": 50}, 50),
        ({"max_tokens": 50, "max_completion_tokens": 80}, 80),
        ({"max_tokens": 50, "n": 3}, 150),
        ({"max_tokens": 50, "n": 2, "best_of": 4}, 200),
        ({"n": 2}, 2000),
        ({"max_tokens": -1}, 1000),
        ({"max_tokens": "50"}, 1000),
        ({"max_tokens": 50, "max_completion_tokens": True}, 1000),
        ({"max_tokens": 50, "n": 0}, 50),
        ({"max_tokens": 50, "n": "2"}, 50),
    ],
)
def test_the_most_a_request_may_generate(body: dict[str, object], most: int) -> None:
    assert bounds_of(body, 1000).most == most
