"""A problem that is resumed in its middle has what its stored calls cost on its account."""

from __future__ import annotations

import threading
from pathlib import Path

import dspy
import pytest
from fakes.stages import by_stage
from fakes.vllm import Call, FakeVLLM, Reply

from pdr_dspy.endpoint import Endpoint, EndpointSettings, FileStore
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.modules import PDR, RunRecord
from pdr_dspy.workflow import Previous, Round, Workflow

CHAIN = Workflow(name="sr", rounds=(*(Round(width=1, distill=Previous(tokens=64)) for _ in range(3)), Round(width=1)))


def solve(model: FakeVLLM, store: Path, budget: str) -> RunRecord:
    """One problem, as a process of its own would solve it."""
    settings = EndpointSettings(urls=(model.url,), retries=0)
    with Endpoint.open(settings, FileStore(store)) as endpoint, dspy.context(lm=endpoint.lm):
        try:
            record = PDR("problem -> answer", CHAIN, budget=budget)(problem="?").run
        except WorkflowFailed as failed:
            record = failed.record
        assert isinstance(record, RunRecord)
        return record


@pytest.mark.parametrize("budget", ["tokens=600", "tokens=600,total=900", "tokens=600,total=1k"])
def test_budgets_carry_over_a_resume(model: FakeVLLM, tmp_path: Path, budget: str) -> None:
    calm = solve(model, tmp_path / "calm", budget)
    down = threading.Event()

    def answer(call: Call) -> Reply | str:
        if len(model.calls) - before > 2:
            down.set()
        return Reply(status=503) if down.is_set() else by_stage(call)

    before = len(model.calls)
    model.answer = answer
    broken = solve(model, tmp_path / "torn", budget)
    assert broken.meters.total_generated < calm.meters.total_generated or "budget" in calm.dropped
    model.answer = by_stage
    resumed = solve(model, tmp_path / "torn", budget)
    assert resumed.meters.replayed >= 2
    same = ("b_seq", "b_total", "seq_generated", "total_generated", "calls", "nominal_total")
    assert [getattr(resumed.meters, n) for n in same] == [getattr(calm.meters, n) for n in same]
    assert resumed.dropped == calm.dropped
