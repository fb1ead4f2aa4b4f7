"""The drafts of a round share their prompt, refinements of later rounds its beginning: the server computes it once.

Only vLLM says so: the embedded engine's prefix cache is on, but OpenVINO GenAI does not count its hits.
"""

from __future__ import annotations

from collections.abc import Callable

import dspy

from pdr_dspy.data.worksheets import Worksheet, worksheets
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.ledger import CallRecord, open_ledger
from pdr_dspy.modules import PDR

from .support import Messages, Served, ask, pdr_workflow, prompts, refine_prompts

BLOCK = 32
WIDTH = 4


def test_a_run_hits_what_its_calls_share(parsing: Served, measured: Callable[[str], None]) -> None:
    (problem,) = worksheets(1, lines=4, split="search", seed=51)
    before = parsing.metrics()
    with parsing.endpoint() as endpoint, dspy.context(lm=endpoint.lm), open_ledger() as ledger:
        try:
            PDR(Worksheet, pdr_workflow(WIDTH, rounds=3))(**problem.inputs)
        except WorkflowFailed as failed:
            assert failed.kind in ("truncated", "unparseable", "empty")
    grown = parsing.since(before)
    rows = [r for r in ledger.records if r.finish]
    if parsing.kind == "embedded":
        assert all(r.cached_tokens is None for r in rows)
        assert "prefix_cache_hits_total" not in grown
        return
    hits, asked = grown["prefix_cache_hits_total"], grown["prefix_cache_queries_total"]
    assert (sum(r.cached_tokens or 0 for r in rows), sum(r.prompt_tokens for r in rows)) == (hits, asked)
    for stage, number in sorted({(r.stage, r.round) for r in rows}):
        check_one_step([r for r in rows if (r.stage, r.round) == (stage, number)])
    measured(
        f"prefix cache: {hits} of {asked} prompt tokens hit ({hits / asked:.0%}) in the {len(rows)} calls of a run"
    )


def check_one_step(rows: list[CallRecord]) -> None:
    """The calls of a step have one prompt: all but the first that is computed find every whole block of it."""
    assert len({r.prompt_tokens for r in rows}) == 1
    whole = blocks(rows[0].prompt_tokens - 1)  # the last token is always computed: its logits are wanted
    assert whole >= BLOCK
    assert sum(r.cached_tokens == whole for r in rows) >= len(rows) - 1, [r.cached_tokens for r in rows]


def test_the_drafts_of_a_round_share_their_whole_prompt(server: Served) -> None:
    (messages,) = prompts(1, lines=6, seed=52)
    check_shared(server, [[messages], [messages] * 3])


def test_later_rounds_share_what_stands_before_the_workspace(server: Served) -> None:
    notes = ["A: none\nB: none", "A: 3 + 4\nC: none"]
    first, later = (refine_prompts(1, lines=6, seed=53, workspace=text)[0] for text in notes)
    check_shared(server, [[first], [later]])


def check_shared(server: Served, rounds: list[list[Messages]]) -> None:
    """What the second round's prompts have in common with the first's is found."""
    (first,), later = rounds
    tokens = [server.tokens(m) for m in (first, later[0])]
    shared = blocks(min(common(*tokens), len(tokens[1]) - 1))
    assert shared >= BLOCK, f"only {common(*tokens)} tokens in common: the prompts no longer share a block"
    with server.endpoint() as endpoint, open_ledger() as ledger:
        for messages in rounds:
            ask(endpoint, [(m, {"max_tokens": 4, "ignore_eos": True}) for m in messages])
    cached = [r.cached_tokens for r in ledger.records[1:]]
    if server.kind == "vllm":  # a server that has run for longer may know more of them
        assert all(shared <= (c or 0) <= blocks(len(tokens[1]) - 1) for c in cached), (cached, shared)
    else:
        assert cached == [None] * len(later)


def blocks(tokens: int) -> int:
    """Tokens in whole blocks."""
    return tokens // BLOCK * BLOCK


def common(a: list[int], b: list[int]) -> int:
    """Length of the common beginning."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
