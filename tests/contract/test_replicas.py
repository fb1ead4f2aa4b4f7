"""Two replicas share the work; one that is killed in mid-run costs its calls, not the run."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator

import dspy
import pytest

from pdr_dspy import bridge
from pdr_dspy.data.worksheets import Worksheet, worksheets
from pdr_dspy.embedded import EmbeddedReasoner, start
from pdr_dspy.endpoint.requests import THINKING_FIELD
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.ledger import Ledger, open_ledger
from pdr_dspy.modules import PDR

from .support import Served, counted, generated, open_endpoint, pdr_workflow

PROBLEMS = 6


@pytest.fixture
def victim(request: pytest.FixtureRequest, kind: str) -> Iterator[EmbeddedReasoner]:
    """A server that may be killed."""
    if kind == "embedded":
        launched = start(reasoning_parser="none", api_key="")
    else:
        launched = request.getfixturevalue("start_one_vllm")(reasoning_parser="none")
    with launched as running:
        yield running


async def solve_all(program: PDR) -> list[object]:
    """Every problem's prediction, or the failure it ended in."""
    problems = worksheets(PROBLEMS, lines=3, split="search", seed=81)
    return list(await asyncio.gather(*(program.aforward(**p.inputs) for p in problems), return_exceptions=True))


def check_ends(results: list[object]) -> None:
    """Every problem has an answer or a typed failure."""
    assert len(results) == PROBLEMS
    for result in results:
        assert isinstance(result, dspy.Prediction | WorkflowFailed), result
        assert not isinstance(result, WorkflowFailed) or result.kind in ("truncated", "unparseable", "empty")


def test_two_replicas_both_work_and_add_up(server: Served, parsing: Served) -> None:
    replicas = (server, parsing)
    before = [r.metrics() for r in replicas]
    with (
        open_endpoint([r.base_url for r in replicas]) as endpoint,
        dspy.context(lm=endpoint.lm),
        open_ledger() as ledger,
    ):
        check_ends(bridge.run(solve_all(PDR(Worksheet, pdr_workflow(rounds=1)))))
    for replica, was in zip(replicas, before, strict=True):
        mine = [r for r in ledger.records if r.replica == replica.base_url]
        assert len(mine) >= len(ledger.records) // 4, "the load is one-sided"
        assert generated(mine) == counted(replica.since(was))
    assert {r.replica for r in ledger.records} == {r.base_url for r in replicas}


def test_a_replica_killed_in_mid_run_costs_calls_not_the_run(server: Served, victim: EmbeddedReasoner) -> None:
    before = server.metrics()
    with (
        open_endpoint([server.base_url, victim.base_url]) as endpoint,
        dspy.context(lm=endpoint.lm),
        open_ledger() as ledger,
    ):
        results = bridge.run(solve_while(lambda: killed(victim, ledger)))
    assert not victim.alive
    check_ends(results)
    theirs = [r for r in ledger.records if r.replica == victim.base_url]
    # A server without a parser first refuses the cap on thinking; such a call is asked again wherever there is room.
    broken = [r for r in theirs if r.outcome == "server" and THINKING_FIELD not in r.detail]
    assert [r for r in theirs if r.outcome == "ok"], "it was killed before it had answered anything"
    assert broken and not any(r.reported for r in broken), "nobody was asking it when it was killed"
    # Every call that broke was made again on the other, and has an answer (a truncated one is an answer).
    last = {r.call: r for r in ledger.records}
    assert {last[r.call].replica for r in broken} == {server.base_url}
    assert not [r for r in last.values() if r.outcome == "server"]
    assert max(Counter(r.call for r in broken).values()) <= 3
    mine = [r for r in ledger.records if r.replica == server.base_url]
    assert generated(mine) == counted(server.since(before))


async def solve_while(kill: Callable[[], bool]) -> list[object]:
    """Solve, and kill a server as soon as it has done some of it."""
    work = asyncio.ensure_future(solve_all(PDR(Worksheet, pdr_workflow(rounds=2))))
    while not work.done() and not kill():
        await asyncio.sleep(0.005)
    return await work


def killed(victim: EmbeddedReasoner, ledger: Ledger) -> bool:
    """Whether it has answered a few calls, and so was killed."""
    if sum(r.replica == victim.base_url and r.outcome == "ok" for r in ledger.records) < 3:
        return False
    # Its whole session: a server that dies of itself takes its engine with it a moment later.
    os.killpg(victim.pid, signal.SIGKILL)
    return True
