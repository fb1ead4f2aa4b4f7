"""Completions kept: what is the same call, what a replay costs, and what a killed process leaves behind."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.vllm import HANG, FakeVLLM, Reply
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy import bridge
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.endpoint import FileStore, MemoryStore, StoredCompletion
from pdr_dspy.endpoint.preflight import Identity
from pdr_dspy.endpoint.requests import Extras, store_key
from pdr_dspy.errors import EmptyAnswer, InputError, ServerFailure, Truncated

from .support import KEY, arrived, burst, call, drafts, open_endpoint, outcome, recorded

ONE = StoredCompletion({"choices": [], "é🙂": None}, 1.5, None, 10.0, 20, "http://h/v1")


def test_sixteen_drafts_contain_the_eight(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    fake_vllm.answer = lambda c: f"draft {c.body['seed']}"
    with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
        eight, _ = burst(endpoint, drafts(8))
        sixteen, ledger = burst(endpoint, drafts(16))
    assert len(fake_vllm.calls) == 16
    assert sixteen[:8] == eight
    assert ledger.meters().replayed == 8
    assert ledger.meters().calls == 16


def test_a_replay_keeps_the_tokens_and_seconds_of_the_original(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    fake_vllm.then(Reply(text="a b", cached=2, delay=0.1))
    tag = CallTag(stage="draft", run="first", problem="p")
    with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
        out, (fresh,) = recorded(endpoint, tag=tag)
    # Another process, another port, another run and name of the problem: the same call.
    with open_endpoint(fake_vllm, store=FileStore(tmp_path), load=3, api_key=KEY) as endpoint:
        again, (replayed,) = recorded(endpoint, tag=replace(tag, run="second", step=4, problem="q", timeout=9.0))
        assert (endpoint.stats.fresh, endpoint.stats.replayed, endpoint.stats.requests) == (0, 1, 0)
    assert out == again == ["a b"]
    assert replayed.replayed
    same = ("prompt_tokens", "completion_tokens", "cached_tokens", "seconds", "started", "max_tokens", "finish")
    assert [getattr(replayed, n) for n in same] == [getattr(fresh, n) for n in same]
    assert len(fake_vllm.calls) == 1


@pytest.mark.parametrize("change", ["stage", "round", "index", "sample", "thinking"])
def test_another_place_is_another_call(fake_vllm: FakeVLLM, change: str) -> None:
    tag = CallTag(stage="draft", thinking=5)
    other = replace(tag, **{change: "refine" if change == "stage" else 7})
    with open_endpoint(fake_vllm, store=MemoryStore()) as endpoint:
        call(endpoint, tag=tag)
        call(endpoint, tag=other)
    assert len(fake_vllm.calls) == 2


@pytest.mark.parametrize(
    "config", [{"seed": 1}, {"temperature": 0.7}, {"top_p": 0.5}, {"top_k": 3}, {"max_tokens": 51}, {"stop": ["x"]},
               {"extra_body": {"min_p": 0.2}}, {"response_format": {"type": "json_object"}}]
)  # fmt: skip
def test_other_sampling_is_another_call(fake_vllm: FakeVLLM, config: dict[str, object]) -> None:
    tag = CallTag(stage="draft")
    with open_endpoint(fake_vllm, store=MemoryStore()) as endpoint:
        call(endpoint, tag=tag)
        call(endpoint, tag=tag, **config)
        call(endpoint, tag=tag, **config)
    assert len(fake_vllm.calls) == 2


def test_another_revision_or_model_is_another_call(start_fake: Callable[..., FakeVLLM]) -> None:
    store = MemoryStore()
    first, second, third = start_fake(root="a"), start_fake(root="b"), start_fake(model="m", root="a")
    for server in (first, second, third):
        with open_endpoint(server, store=store) as endpoint:
            call(endpoint, tag=CallTag(stage="draft"))
    with open_endpoint(first, store=store, revision="b") as endpoint:
        call(endpoint, tag=CallTag(stage="draft"))
    assert [len(s.calls) for s in (first, second, third)] == [1, 1, 1]


def test_outside_a_workflow_a_rollout_id_is_a_repetition_of_its_own(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm, store=MemoryStore()) as endpoint:
        for rollout in (None, 1, 2, 1, None):
            call(endpoint, temperature=1.0, rollout_id=rollout)
        assert len(fake_vllm.calls) == 3
        # In a workflow the place and the seed tell calls apart.
        call(endpoint, tag=CallTag(stage="draft"), temperature=1.0, rollout_id=1)
        call(endpoint, tag=CallTag(stage="draft"), temperature=1.0, rollout_id=2)
    assert len(fake_vllm.calls) == 4


def test_without_a_store_every_call_is_a_new_draw(fake_vllm: FakeVLLM) -> None:
    with open_endpoint(fake_vllm) as endpoint:
        call(endpoint)
        call(endpoint)
    assert len(fake_vllm.calls) == 2


@pytest.mark.parametrize(
    ("reply", "kind"), [(Reply(text="cut off", finish="length"), Truncated), (Reply(text=None), EmptyAnswer)]
)
def test_a_truncated_or_empty_answer_is_not_paid_for_twice(
    fake_vllm: FakeVLLM, tmp_path: Path, reply: Reply, kind: type[Exception]
) -> None:
    fake_vllm.then(reply)
    for _ in range(2):
        with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
            error, (record,) = recorded(endpoint, tag=CallTag(stage="draft"))
        assert type(error) is kind
        assert record.completion_tokens > 0
    assert record.replayed
    assert len(fake_vllm.calls) == 1


def test_failures_are_not_kept(fake_vllm: FakeVLLM) -> None:
    fake_vllm.then(Reply(status=500))
    with open_endpoint(fake_vllm, store=MemoryStore(), retries=0) as endpoint:
        assert isinstance(outcome(endpoint), ServerFailure)
        assert outcome(endpoint) == ["ok"]


def test_the_same_call_at_once_is_one_request(fake_vllm: FakeVLLM) -> None:
    fake_vllm.answer = Reply(text="once", delay=0.1)
    with open_endpoint(fake_vllm, store=MemoryStore()) as endpoint:
        results, ledger = burst(endpoint, [CallTag(stage="draft")] * 5)
        assert not len(endpoint._caller._flights)
    assert results == [["once"]] * 5
    assert len(fake_vllm.calls) == 1
    assert sorted(r.replayed for r in ledger.records) == [False, True, True, True, True]


def test_cancelling_one_of_the_same_calls_leaves_the_others_alone(fake_vllm: FakeVLLM) -> None:
    import asyncio

    fake_vllm.then(HANG)
    fake_vllm.answer = "second"

    async def both() -> object:
        async def one() -> object:
            with tagged(CallTag(stage="draft")):
                return await endpoint.lm.acall("hello", max_tokens=5)

        first = asyncio.ensure_future(one())
        second = asyncio.ensure_future(one())
        await arrived(fake_vllm)
        await asyncio.sleep(0.1)
        assert len(fake_vllm.calls) == 1
        first.cancel()
        return await second

    with open_endpoint(fake_vllm, store=MemoryStore()) as endpoint:
        assert bridge.run(both()) == ["second"]
    assert len(fake_vllm.calls) == 2  # the one that was cancelled, and the other one's own


def test_a_record_survives_reopening_and_other_processes_are_seen(tmp_path: Path) -> None:
    first, second = FileStore(tmp_path), FileStore(tmp_path)
    first.put("a", ONE)
    first.put("a", replace(ONE, seconds=99.0))  # the first stays
    second.put("b", ONE)
    second.refresh()
    assert second.get("a") == ONE
    third = FileStore(tmp_path)
    assert third.get("a") == third.get("b") == ONE
    assert third.get("c") is None
    assert (third.report.records, third.report.segments, third.report.torn) == (2, 2, 0)


@given(cut=st.integers(min_value=1, max_value=200))
def test_a_torn_last_line_costs_that_line_alone(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    directory = tmp_path_factory.mktemp("store")
    store = FileStore(directory)
    for name in ("a", "b"):
        store.put(name, ONE)
    store.close()
    (segment,) = directory.iterdir()
    data = segment.read_bytes()
    line = len(data) // 2
    segment.write_bytes(data[: -min(cut, line)])
    again = FileStore(directory)
    assert again.get("a") == ONE
    assert again.get("b") is None
    assert again.report.torn == (cut < line)
    again.put("b", ONE)
    assert FileStore(directory).get("b") == ONE


def test_a_torn_line_and_a_damaged_one_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'{"key": "k", "oops": 1}\n{"key": "l", "comp')
    with caplog.at_level(logging.WARNING):
        store = FileStore(tmp_path)
    assert (store.report.torn, store.report.damaged, store.report.records) == (1, 1, 0)
    assert "unfinished" in caplog.text
    assert "can't be read" in caplog.text


def test_a_directory_that_can_not_be_made_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="directory"):
        FileStore(tmp_path / "file")


def test_a_process_killed_while_it_writes_loses_at_most_one_line(tmp_path: Path) -> None:
    script = (
        "import sys; from pdr_dspy.endpoint.file_store import FileStore; "
        "from pdr_dspy.endpoint.store import StoredCompletion as S\n"
        "s = FileStore(sys.argv[1]); i = 0\n"
        "while True: s.put(str(i), S({'t': 'x' * 50_000}, 1.0, None, 1.0, 1, 'r')); print(i, flush=True); i += 1"
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ}
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 20:
            break
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    said = [int(line) for line in process.stdout] or [20]
    process.wait()
    store = FileStore(tmp_path)
    assert store.report.damaged == 0
    assert store.report.torn <= 1
    assert all(store.get(str(i)) is not None for i in range(said[-1] + 1))


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pdr_dspy.endpoint.file_store import FileStore; "
        "from pdr_dspy.endpoint.store import StoredCompletion as S\n"
        "s = FileStore(sys.argv[1])\n"
        "for i in range(60): s.put(f'{sys.argv[2]}-{i % 50}', S({'t': 'x' * 999}, 1.0, None, 1.0, 1, 'r'))"
    )
    root = Path(__file__).parents[2]
    many = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), n], cwd=root) for n in ("a", "b")]
    assert [p.wait() for p in many] == [0, 0]
    store = FileStore(tmp_path)
    assert (store.report.records, store.report.segments, store.report.torn) == (100, 2, 0)


def test_the_store_holds_neither_key_nor_address_in_its_keys(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    with open_endpoint(fake_vllm, store=FileStore(tmp_path), api_key=KEY) as endpoint:
        call(endpoint)
    text = "".join(p.read_text() for p in tmp_path.iterdir())
    assert KEY not in text
    assert len(json.loads(text)["key"]) == 64


@given(st.permutations(["messages", "seed", "temperature", "max_tokens"]))
def test_a_key_does_not_depend_on_the_order_of_fields(names: list[str]) -> None:
    identity = Identity("m", "r", 10)
    body = {n: 5 for n in names}
    expected = store_key({n: 5 for n in sorted(names)}, identity, CallTag(), Extras())
    assert store_key(body, identity, CallTag(), Extras()) == expected
