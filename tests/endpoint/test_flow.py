"""Many calls at once: the limiter, the replicas, cancelling."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from fakes.vllm import HANG, RESET, FakeVLLM, Reply
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pdr_dspy import bridge
from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint.limiter import Limiter
from pdr_dspy.endpoint.replicas import Replicas
from pdr_dspy.errors import EndpointError, ServerFailure
from pdr_dspy.ledger import open_ledger

from .support import arrived, burst, call, cut_off, drafts, open_endpoint, outcome


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_no_more_than_the_load_is_in_flight_and_the_mean_says_so(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = Reply(delay=0.1)
    with open_endpoint(fake_vllm, load=4) as endpoint:
        call(endpoint)  # warm up
        before = endpoint.stats
        burst(endpoint, drafts(16))
        after = endpoint.stats
        assert endpoint.in_flight == 0
    assert fake_vllm.max_in_flight == 4
    mean = (after.in_flight_seconds - before.in_flight_seconds) / (after.busy_seconds - before.busy_seconds)
    assert 3.0 < mean <= 4.0


def test_another_load_is_held_for_a_while(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = Reply(delay=0.05)
    with open_endpoint(fake_vllm, load=2) as endpoint:
        for load in (6, 1):
            before = endpoint.stats
            with endpoint.at_load(load):
                assert endpoint.load == load
                burst(endpoint, drafts(12, sample=load))
            after = endpoint.stats
            mean = (after.in_flight_seconds - before.in_flight_seconds) / (after.busy_seconds - before.busy_seconds)
            assert endpoint.load == 2 and (mean == pytest.approx(1.0) if load == 1 else 2 < mean <= load)
        with pytest.raises(EndpointError, match="load"), endpoint.at_load(9000):
            pass
        with pytest.raises(ValueError), endpoint.at_load(1):
            raise ValueError
        assert endpoint.load == 2


def test_waiting_for_a_place_is_not_latency(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = Reply(delay=0.2)
    with open_endpoint(fake_vllm, load=1) as endpoint:
        call(endpoint)
        _, ledger = burst(endpoint, drafts(10))
    assert max(r.seconds for r in ledger.records) < 1.5  # the last one waited for nine others: 1.8 s


def test_two_replicas_share_the_load(start_fake: Callable[..., FakeVLLM]) -> None:
    slow, fast = start_fake(answer=Reply(delay=0.4)), start_fake(answer=Reply(delay=0.02))
    with open_endpoint(slow, fast, load=4) as endpoint:
        results, _ = burst(endpoint, drafts(24))
        assert endpoint.stats.by_replica == {slow.url: len(slow.calls), fast.url: len(fast.calls)}
    assert results == [["ok"]] * 24
    assert len(slow.calls) >= 2
    assert len(fast.calls) > 2 * len(slow.calls)  # least in flight, not turn by turn


def test_a_dead_replica_is_left_alone_and_found_again(start_fake: Callable[..., FakeVLLM]) -> None:
    dead, alive = start_fake(), start_fake()
    with open_endpoint(dead, alive) as endpoint:
        dead.stop()
        results, ledger = burst(endpoint, drafts(8))
        assert results == [["ok"]] * 8
        refused = [r for r in ledger.records if r.outcome == "server"]
        assert 1 <= len(refused) <= 4
        assert all("no connection" in r.detail for r in refused)
        start = time.monotonic()
        burst(endpoint, drafts(8))
        assert endpoint.stats.failures["server"] == len(refused)  # resting: not asked again
        assert time.monotonic() - start < 1
        dead.start()
        endpoint._caller.replicas.all[0].awake_at = 0.0
        burst(endpoint, drafts(8))
        assert dead.calls


def test_every_replica_dead_is_a_failure_not_a_hang(start_fake: Callable[..., FakeVLLM]) -> None:
    one, two = start_fake(), start_fake()
    with open_endpoint(one, two, retries=2) as endpoint:
        one.stop()
        two.stop()
        assert isinstance(outcome(endpoint), ServerFailure)


def test_a_reset_connection_is_tried_elsewhere_or_again(start_fake: Callable[..., FakeVLLM]) -> None:
    bad, good = start_fake(answer=RESET), start_fake()
    with open_endpoint(bad, good) as endpoint:
        assert burst(endpoint, drafts(6))[0] == [["ok"]] * 6


def test_a_cancelled_call_is_dropped_by_the_server_and_recorded(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = HANG

    with open_endpoint(fake_vllm, load=1) as endpoint:
        with open_ledger() as ledger:
            bridge.run(cut_off(endpoint, fake_vllm, CallTag(stage="draft")))
        assert [(r.outcome, r.reported) for r in ledger.records] == [("cutoff", False)]
        fake_vllm.wait(lambda f: f.disconnects == 1)
        fake_vllm.answer = "ok"
        assert outcome(endpoint) == ["ok"]  # its place is free again


def test_a_call_cancelled_from_a_loop_of_its_own_reaches_the_server_too(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = HANG

    with open_endpoint(fake_vllm) as endpoint:
        asyncio.run(cut_off(endpoint, fake_vllm))
        fake_vllm.wait(lambda f: f.disconnects == 1)
        fake_vllm.wait(lambda f: endpoint.in_flight == 0)


def test_a_call_cancelled_in_the_queue_was_never_sent(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = HANG

    async def cut() -> None:
        tasks = [asyncio.ensure_future(endpoint.lm.acall(str(i), max_tokens=5)) for i in range(3)]
        await arrived(fake_vllm)
        await asyncio.sleep(0.05)
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with open_endpoint(fake_vllm, load=1) as endpoint:
        with open_ledger() as ledger:
            bridge.run(cut())
        assert len(fake_vllm.calls) == 1
        assert sorted((r.outcome, bool(r.replica)) for r in ledger.records) == [
            ("cutoff", False), ("cutoff", False), ("cutoff", True),
        ]  # fmt: skip
        assert ledger.meters().unreported == 1


@settings(max_examples=60, deadline=None)
@given(load=st.integers(1, 4), steps=st.lists(st.tuples(st.sampled_from("ecl"), st.integers(0, 9)), max_size=40))
@example(load=2, steps=[*[("e", 0)] * 7, ("c", 0), ("c", 1), ("c", 0), ("c", 1), ("e", 0)])
def test_the_limiter_is_fair_and_never_loses_a_place(load: int, steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        limiter = Limiter(load)
        doors: dict[int, asyncio.Event] = {}
        tasks: dict[int, asyncio.Task[None]] = {}
        waiting: list[int] = []
        inside: set[int] = set()

        async def visit(number: int) -> None:
            waiting.append(number)
            try:
                async with limiter.slot():
                    # Who came earlier and is not in yet has been handed a place, and enters when its task runs next.
                    earlier = [n for n in waiting if n < number and not tasks[n].cancelling()]
                    waiting.remove(number)
                    inside.add(number)
                    assert len(inside) + len(earlier) <= limiter.in_flight <= load
                    await doors[number].wait()
            finally:
                inside.discard(number)
                if number in waiting:
                    waiting.remove(number)

        for step, pick in steps:
            alive = [n for n, t in tasks.items() if not t.done()]
            if step == "e":
                number = len(tasks)
                doors[number] = asyncio.Event()
                tasks[number] = asyncio.ensure_future(visit(number))
            elif alive and step == "c":
                tasks[alive[pick % len(alive)]].cancel()
            elif alive:
                doors[alive[pick % len(alive)]].set()
            if pick % 3:
                await asyncio.sleep(0)
        for door in doors.values():
            door.set()
        outcomes = await asyncio.wait_for(asyncio.gather(*tasks.values(), return_exceptions=True), 2)
        assert all(outcome is None or isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        assert limiter.in_flight == limiter.waiting == 0

    asyncio.run(play())


async def test_the_limiters_mean_is_weighted_by_time() -> None:
    clock = Clock()
    limiter = Limiter(4, clock)
    async with limiter.slot():
        clock.now += 10
        async with limiter.slot():
            clock.now += 5
    clock.now += 100  # idle: no part of the mean
    assert limiter.usage() == (20.0, 15.0)


def test_a_replica_rests_longer_each_time_and_is_forgiven_at_once() -> None:
    clock = Clock()
    replicas = Replicas(["a", "b"], clock)
    a = replicas.take()
    replicas.release(a)
    rests = []
    for _ in range(8):
        replicas.unreachable(a)
        rests.append(a.awake_at - clock.now)
        assert replicas.take().url == "b"
    assert rests == sorted(rests)
    assert (rests[0], rests[-1]) == (2.0, 60.0)
    clock.now += 61
    chosen = replicas.take()
    assert chosen is a  # it has the fewest in flight
    replicas.answered(a)
    assert a.failures == 0


def test_where_all_rest_the_first_to_wake_is_asked() -> None:
    clock = Clock()
    replicas = Replicas(["a", "b"], clock)
    a, b = replicas.take(), replicas.take()
    replicas.unreachable(a)
    clock.now += 1
    replicas.unreachable(b)
    assert not replicas.any_awake
    assert replicas.take() is a
