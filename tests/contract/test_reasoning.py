"""Thinking is paid for and kept apart: no workspace and no solution ever holds any of it, parser or not."""

from __future__ import annotations

import dspy

from pdr_dspy.data.worksheets import Worksheet, worksheets
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.ledger import open_ledger
from pdr_dspy.modules import PDR

from .support import Recorder, Served, open_endpoint, pdr_workflow


def test_thinking_stays_out_of_workspaces(either: Served) -> None:
    (problem,) = worksheets(1, lines=3, split="search", seed=6)
    with (
        Recorder(either.base_url) as between,
        open_endpoint([between.base_url]) as endpoint,
        dspy.context(lm=endpoint.lm),
        open_ledger() as ledger,
    ):
        try:
            record = PDR(Worksheet, pdr_workflow(rounds=2))(**problem.inputs).run
        except WorkflowFailed as failed:
            record = failed.record
    kept = [w for r in record.rounds for w in r.workspaces] + [d.solution for r in record.rounds for d in r.drafts]
    assert any(kept)
    assert all("think>" not in text for text in kept)
    thoughts = [t for e in between.exchanges if e.status == 200 and (t := thinking(e.answer["choices"][0]["message"]))]
    assert thoughts, "no draft thought: this checkpoint shows nothing here"
    assert not [t for t in thoughts for text in kept if t in text]
    # Paid for all the same.
    assert sum(r.completion_tokens for r in ledger.records) == sum(
        e.answer["usage"]["completion_tokens"] for e in between.exchanges if e.status == 200
    )


def test_a_helper_call_does_not_think_and_is_not_taken_for_thinking(parsing: Served) -> None:
    # A parser that takes every answer without </think> for thinking would leave a distiller nothing.
    (problem,) = worksheets(1, lines=3, split="search", seed=8)
    with (
        Recorder(parsing.base_url) as between,
        open_endpoint([between.base_url]) as endpoint,
        dspy.context(lm=endpoint.lm),
        open_ledger() as ledger,
    ):
        try:
            PDR(Worksheet, pdr_workflow(rounds=1))(**problem.inputs)
        except WorkflowFailed as failed:
            assert failed.kind in ("truncated", "unparseable")
    helpers = [
        e.answer["choices"][0]["message"]
        for e in between.exchanges
        if e.status == 200 and e.request.get("chat_template_kwargs") == {"enable_thinking": False}
    ]
    assert helpers and all(m["content"] for m in helpers)
    assert not [r for r in ledger.records if r.outcome == "empty"]


def thinking(message: dict[str, str | None]) -> str:
    """A message's thinking, wherever it stands."""
    content = message["content"] or ""
    return (message.get("reasoning") or content.partition("<think>")[2].partition("</think>")[0]).strip()
