"""A model on a real vLLM that thinks whatever it is told: its chat template opens `<think>` before every answer.

The reasoner behind a template of that kind: helpers were never taught to think there, so they think for as long as they
are let. Each must still give its workspace, or its pick, and nothing of the thinking may get into it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dspy
import pytest

from pdr_dspy.data.worksheets import Worksheet, worksheets
from pdr_dspy.modules import PDR, RunRecord
from pdr_dspy.workflow import Pick, Round, Summary, Top, Workflow

from .support import CAPS, SAMPLING, Served, counted, generated

pytestmark = pytest.mark.vllm

OPENED = "<|assistant|>"
LAST = Round(width=1, **CAPS)
WORKFLOWS = [
    Workflow(name="open", rounds=(Round(width=4, distill=Summary(tokens=64), **CAPS), LAST), sampling=SAMPLING),
    Workflow(
        name="capped", rounds=(Round(width=4, distill=Summary(tokens=64, thinking=48), **CAPS), LAST), sampling=SAMPLING
    ),
    Workflow(
        name="picks",
        rounds=(Round(width=4, distill=Top(k=2, tokens=256, thinking=48), **CAPS), LAST),
        sampling=SAMPLING,
    ),
    Workflow(name="close", rounds=(Round(width=4, **CAPS),), close=Pick(kind="pick", thinking=48), sampling=SAMPLING),
]


@pytest.fixture(scope="module")
def thinker(served: Callable[..., Served], weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """vLLM with such a template, without a reasoning parser: the reasoner's helpers may end without closing their
    thinking, and a parser would then find no answer in them."""
    template = tmp_path_factory.mktemp("template") / "always.jinja"
    own = (weights / "chat_template.jinja").read_text(encoding="utf-8")
    head, found, tail = own.rpartition(OPENED)
    assert found and "add_generation_prompt" in head
    template.write_text(f"{head}{OPENED}<think>{tail}", encoding="utf-8")
    return served("vllm", parser=False, flags=("--chat-template", str(template)))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda w: w.name)
def test_helpers_of_a_model_that_always_thinks_come_to_their_end(thinker: Served, workflow: Workflow) -> None:
    (problem,) = worksheets(1, lines=3, split="search", seed=6)
    before = thinker.metrics()
    with thinker.endpoint() as endpoint, dspy.context(lm=endpoint.lm):
        run = PDR(Worksheet, workflow)(**problem.inputs).run
    assert isinstance(run, RunRecord)
    helpers = [r for r in run.records if r.stage in ("distill", "pick")]
    assert helpers and {r.outcome for r in helpers} == {"ok"}, [(r.outcome, r.detail) for r in helpers]
    assert [f for f in run.failed if f.stage in ("distill", "pick") and f.kind in ("truncated", "empty")] == []
    assert all("think>" not in w for each in run.rounds for w in each.workspaces)
    if workflow.name in ("open", "capped"):
        assert all(w.strip() for w in run.rounds[1].workspaces)
    assert generated(run.records) == counted(thinker.since(before))
