"""Seeds: the same one gives the same text, whatever runs beside it; other ones give others.

Across servers a seed means nothing: each has its own sampler. Within a server float sums depend a little on what is
computed together, so a draw that falls on the edge between two tokens may flip: one text may differ here.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import dspy

from pdr_dspy.data.worksheets import Worksheet, worksheets
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.modules import PDR

from .support import Served, pdr_workflow, prompts

SEEDS = range(6)


def test_the_same_seed_gives_the_same_text_alone_and_in_a_burst(
    server: Served, measured: Callable[[str], None]
) -> None:
    (messages,) = prompts(1, seed=61)

    def text(seed: int) -> str:
        answer = server.chat(messages, seed=seed, max_tokens=48, ignore_eos=True, temperature=1.2).json()
        return str(answer["choices"][0]["message"]["content"])

    alone = [text(seed) for seed in SEEDS]
    with ThreadPoolExecutor(3 * len(SEEDS)) as pool:
        burst = list(pool.map(text, range(3 * len(SEEDS))))
    # There are about thirty ways to begin, and what follows is nearly settled: some of eighteen draws may agree.
    assert len(set(burst)) >= len(burst) / 2, "different seeds give the same text"
    same = sum(a == b for a, b in zip(alone, burst, strict=False))
    measured(f"seeds, {server.kind}: {same} of {len(alone)} texts of 48 tokens are the same alone and in a burst")
    assert same >= len(alone) - 1


def test_a_program_draws_the_same_drafts_again(server: Served) -> None:
    (problem,) = worksheets(1, lines=3, split="search", seed=62)

    def drafts(seed: int) -> list[tuple[int, str]]:
        try:
            record = PDR(Worksheet, pdr_workflow(rounds=1), seed=seed)(**problem.inputs).run
        except WorkflowFailed as failed:
            record = failed.record
        return [(d.index, d.solution) for d in record.rounds[0].drafts]

    with server.endpoint(thinking="off") as endpoint, dspy.context(lm=endpoint.lm):
        first, again = drafts(7), drafts(7)
    assert len(set(first) ^ set(again)) <= 2  # at most one of them flipped
