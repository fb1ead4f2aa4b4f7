"""The ledger against the server's own counters, to the token: whole workflows, refusals, lost answers, cut calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import dspy
import pytest

from pdr_dspy import bridge
from pdr_dspy.data.worksheets import Worksheet, worksheets
from pdr_dspy.endpoint.served import crossed
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.ledger import open_ledger
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Previous, Random, Round, Top, Workflow

from .support import CAPS, SAMPLING, Recorder, Served, ask, counted, generated, open_endpoint, pdr_workflow, prompts

MIXED = Workflow(
    name="mixed",
    rounds=(
        Round(width=4, distill=Top(k=2, tokens=128), **CAPS),
        Round(width=2, distill=Random(k=2, tokens=128), **CAPS),
        Round(width=1, distill=Previous(tokens=96), **CAPS),
        Round(width=1, thinking=8, answer=8),  # too little: this one is truncated
    ),
    sampling=SAMPLING,
)


@pytest.mark.parametrize("workflow", [pdr_workflow(rounds=1), MIXED], ids=lambda w: w.name)
def test_the_ledger_equals_the_servers_counters(either: Served, workflow: Workflow) -> None:
    with either.endpoint() as endpoint, dspy.context(lm=endpoint.lm), open_ledger() as ledger:
        before = either.metrics()
        program = PDR(Worksheet, workflow)
        for problem in worksheets(2, lines=3, split="search", seed=5):
            try:
                program(**problem.inputs)
            except WorkflowFailed as failed:
                assert failed.kind in ("truncated", "unparseable", "empty")
        grown = either.since(before)
    rows = ledger.records
    answered = [r for r in rows if r.finish]  # a server that does not know thinking caps refuses the first ones
    assert answered and all(r.reported for r in answered)
    assert generated(rows) == counted(grown)
    assert len(answered) == grown["request_success_total"]
    assert all(r.completion_tokens <= r.max_tokens for r in rows)


def test_refused_attempts_are_on_record_and_cost_nothing(server: Served) -> None:
    before = server.metrics()
    with (
        Recorder(server.base_url, refuse=3) as between,
        open_endpoint([between.base_url]) as endpoint,
        open_ledger() as ledger,
    ):
        ask(endpoint, [(m, {"max_tokens": 16, "seed": 1}) for m in prompts(4, seed=41)])
    refused = [r for r in ledger.records if r.outcome == "server"]
    assert len(refused) == 3 and not any(r.reported or r.tokens for r in refused)
    assert len({r.call for r in ledger.records}) == 4 and len(ledger.records) == 7
    assert generated(ledger.records) == counted(server.since(before))


def test_what_a_lost_answer_cost_is_known_to_be_unknown(server: Served) -> None:
    before = server.metrics()
    with (
        Recorder(server.base_url, lose=2) as between,
        open_endpoint([between.base_url]) as endpoint,
        open_ledger() as ledger,
    ):
        ask(endpoint, [(m, {"max_tokens": 16, "seed": 1}) for m in prompts(3, seed=42)])
    lost = [e.answer["usage"] for e in between.exchanges[:2]]
    unreported = [r for r in ledger.records if not r.reported]
    assert len(unreported) == 2 and {r.outcome for r in unreported} == {"server"}
    assert ledger.meters().unreported == 2
    there = counted(server.since(before))
    missing = tuple(t - k for t, k in zip(there, generated(ledger.records), strict=True))
    assert missing == (sum(u["prompt_tokens"] for u in lost), sum(u["completion_tokens"] for u in lost))


def test_a_cut_call_stops_on_the_server_and_is_on_record(server: Served) -> None:
    (messages,) = prompts(1, seed=43)
    room = 1500

    async def cut(running: Callable[[], bool]) -> None:
        call = asyncio.ensure_future(
            endpoint.lm.acall(messages=messages, max_tokens=room, ignore_eos=True, temperature=0.8)
        )
        while not await asyncio.to_thread(running):
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    before = server.metrics()
    with server.endpoint() as endpoint, open_ledger() as ledger:
        start = endpoint.served()
        bridge.run(cut(lambda: server.metrics()["num_requests_running"] > 0))
        deadline = time.monotonic() + 10
        while server.metrics()["num_requests_running"] and time.monotonic() < deadline:
            time.sleep(0.02)
        end = endpoint.served()
    (record,) = ledger.records
    assert (record.outcome, record.reported, record.tokens, record.uncounted) == ("cutoff", False, 0, room)
    prompt, completion = counted(server.since(before))
    assert prompt in (0, len(server.tokens(messages)))
    assert completion < room
    assert crossed(start, end, 0, record.uncounted) == completion
