"""What may be generated in all is never exceeded, whatever fails, is cut off or killed; nothing paid is forgotten."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fakes.vllm import HANG, FakeVLLM, Reply
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy import bridge
from pdr_dspy.endpoint import FileAllowance, FileStore, Hold
from pdr_dspy.errors import DiskError, InputError, ServerFailure, SpendExhausted, TimedOut

from .support import burst, call, drafts, open_endpoint, outcome, typed


@given(st.integers(1, 500), st.lists(st.tuples(st.integers(0, 60), st.floats(0, 1), st.integers(0, 3)), max_size=30))
def test_the_limit_holds_and_every_process_counts_the_same(limit: int, requests: list[tuple[int, float, int]]) -> None:
    with TemporaryDirectory() as directory:
        mine, other = FileAllowance(directory, limit), FileAllowance(directory, limit)
        booked, held, refused = 0, list[tuple[Hold, int]](), set[FileAllowance]()
        for cap, share, keep in requests:
            who = (mine, other)[keep % 2]
            try:
                hold = who.hold(cap)
            except SpendExhausted as error:
                assert error.spent + cap > limit or who in refused
                refused.add(who)
                continue
            assert who not in refused
            if hold is None:
                assert held
            elif keep > 1:
                held.append((hold, keep))
            else:
                generated = int(share * cap)
                who.settle(hold, generated)
                booked += generated
            expected = booked + sum(h.tokens for h, _ in held)
            assert mine.spent == other.spent == expected <= limit
        for hold, keep in held:  # cut off: counted in full
            (mine, other)[keep % 2].settle(hold, None)
        assert FileAllowance(directory).spent == booked + sum(h.tokens for h, _ in held)


def test_what_a_killed_process_had_in_flight_counts_and_half_a_line_does_not(tmp_path: Path) -> None:
    program = """
import os, sys
from pdr_dspy.endpoint import FileAllowance
a = FileAllowance(sys.argv[1], 1000)
a.settle(a.hold(100), 30)
a.hold(200)
os.write(a._file, b"+torn 5")
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == -9
    again = FileAllowance(tmp_path, 1000)
    assert again.spent == 230
    with pytest.raises(SpendExhausted) as caught:
        again.hold(771)
    assert caught.value.field == "spend" and (caught.value.spent, caught.value.limit) == (230, 1000)
    assert FileAllowance(tmp_path, 1000).hold(770) is not None


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="spend"):
        FileAllowance(tmp_path / "file")


def test_an_endpoint_spends_no_more_than_it_may_and_replays_for_nothing(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    fake_vllm.answer = lambda c: Reply(text="word " * 20)
    store, allowance = FileStore(tmp_path / "store"), FileAllowance(tmp_path / "spend", 250)
    with open_endpoint(fake_vllm, store=store, allowance=allowance) as endpoint:
        results, ledger = burst(endpoint, drafts(30))
        answered = [r for r in results if not isinstance(r, BaseException)]
        generated = ledger.meters().total_generated
        assert allowance.spent == endpoint.stats.fresh_tokens == generated <= 250
        # Where a cap of 50 no longer fits and nothing is in flight, there is no more.
        assert 250 - generated < 50 and len(answered) < 30
        assert {type(r) for r in results if isinstance(r, BaseException)} == {SpendExhausted}
        first, _ = burst(endpoint, drafts(1))
    assert first == answered[:1] and allowance.spent == generated


def test_nothing_is_sent_that_the_end_of_the_run_would_cut_off(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    fake_vllm.answer = lambda c: Reply(text="word " * 20)
    fake_vllm.held = True
    allowance = FileAllowance(tmp_path, 110)
    with open_endpoint(fake_vllm, allowance=allowance, load=3) as endpoint:

        async def run() -> None:
            async with asyncio.TaskGroup() as group:
                for text, cap in (("first", 100), ("too long for what is left", 100), ("short", 25)):
                    before = endpoint.in_flight
                    group.create_task(endpoint.lm.acall(text, max_tokens=cap))
                    while endpoint.in_flight == before:
                        await asyncio.sleep(0.01)
                fake_vllm.held = False

        with pytest.raises(ExceptionGroup) as caught:
            bridge.run(run())
        assert all(isinstance(typed(error), SpendExhausted) for error in caught.value.exceptions)
        assert [c.cap for c in fake_vllm.calls] == [100] and allowance.spent == fake_vllm.completion_tokens
        assert isinstance(outcome(endpoint, "short", max_tokens=25), SpendExhausted)
        allowance.free()
        call(endpoint, "short", max_tokens=25)
        assert allowance.spent == fake_vllm.completion_tokens


def test_what_was_refused_costs_nothing_and_what_was_cut_off_its_cap(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    allowance = FileAllowance(tmp_path, 10_000)
    with open_endpoint(fake_vllm, allowance=allowance, retries=1, timeout=2.0) as endpoint:
        fake_vllm.answer = lambda c: Reply(status=429)
        assert isinstance(outcome(endpoint), ServerFailure) and allowance.spent == 0
        fake_vllm.answer = lambda c: HANG
        assert isinstance(outcome(endpoint), TimedOut) and allowance.spent == 2 * 50
        fake_vllm.answer = lambda c: "one two three"
        call(endpoint, "again")
        assert allowance.spent - 100 == endpoint.stats.fresh_tokens > 0


def test_only_what_is_in_flight_is_set_aside(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    allowance = FileAllowance(tmp_path, 10_000)
    seen: list[int] = []

    def answer(_: object) -> Reply:
        seen.append(FileAllowance(tmp_path).spent)  # what would count if the process were killed now
        return Reply(text="word", delay=0.05)

    fake_vllm.answer = answer
    with open_endpoint(fake_vllm, allowance=allowance, load=2) as endpoint:
        burst(endpoint, drafts(12))
    assert max(seen) <= 2 * 50 + allowance.spent


def test_what_is_no_segment_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.spend")
    (tmp_path / "folder.spend").mkdir()
    (tmp_path / "nowhere.spend").symlink_to("gone")
    allowance = FileAllowance(tmp_path, 100)
    hold = allowance.hold(30)
    assert hold is not None and FileAllowance(tmp_path).spent == 30


def test_a_directory_that_goes_away_is_no_raw_error(tmp_path: Path) -> None:
    allowance = FileAllowance(tmp_path / "spend", 100)
    (tmp_path / "spend").rmdir()
    with pytest.raises(DiskError, match="spend"):
        allowance.hold(30)


def test_a_number_without_end_is_a_line_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "other.spend").write_text("+abc " + "9" * 5000 + "\n+abd 7\n", encoding="utf-8")
    assert FileAllowance(tmp_path).spent == 7
