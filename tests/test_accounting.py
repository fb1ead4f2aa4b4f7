"""The ledger against the server's own counters, to the token: the embedded server, and a real vLLM where one runs.

For the second, serve the shipped checkpoint (`vllm serve pdr_dspy/embedded/weights`), set PDR_VLLM_URL to its address,
and run `pytest -m vllm`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import dspy
import httpx
import pytest

from pdr_dspy.data.worksheets import Worksheet, worksheets
from pdr_dspy.embedded.launch import start
from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.ledger import open_ledger
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Previous, Random, Round, Sampling, Summary, Top, Workflow

SAMPLING = Sampling(temperature=0.8)
CAPS = {"thinking": 64, "answer": 96}
WORKFLOWS = [
    Workflow(
        name="pdr",
        rounds=(Round(width=4, distill=Summary(tokens=64), **CAPS), Round(width=1, **CAPS)),
        sampling=SAMPLING,
    ),
    Workflow(
        name="mixed",
        rounds=(
            Round(width=4, distill=Top(k=2, tokens=128), **CAPS),
            Round(width=2, distill=Random(k=2, tokens=128), **CAPS),
            Round(width=1, distill=Previous(tokens=96), **CAPS),
            Round(width=1, thinking=8, answer=8),  # too little: this one is truncated
        ),
        sampling=SAMPLING,
    ),
]


def counters(url: str) -> tuple[int, int]:
    text = httpx.get(url.removesuffix("/v1") + "/metrics", timeout=30).text

    def total(name: str) -> int:
        return int(sum(float(v) for v in re.findall(rf"^vllm:{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)))

    return total("prompt_tokens_total"), total("generation_tokens_total")


@pytest.fixture(
    scope="module",
    params=[pytest.param("embedded", marks=pytest.mark.embedded), pytest.param("vllm", marks=pytest.mark.vllm)],
)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "vllm":
        yield os.environ["PDR_VLLM_URL"]
        return
    with start() as server:
        yield server.base_url


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda w: w.name)
def test_the_ledger_equals_the_servers_counters(url: str, workflow: Workflow) -> None:
    with (
        Endpoint.open(EndpointSettings(urls=(url,))) as endpoint,
        dspy.context(lm=endpoint.lm),
        open_ledger() as ledger,
    ):
        before = counters(url)
        program = PDR(Worksheet, workflow)
        for problem in worksheets(3, lines=3, split="search", seed=5):
            try:
                program(**problem.inputs)
            except WorkflowFailed as failed:
                assert failed.kind == "truncated"
        after = counters(url)
    rows = ledger.records
    answered = [r for r in rows if r.finish]  # a vLLM without --reasoning-config refuses the first thinking caps
    assert answered and all(r.reported for r in answered)
    assert after[0] - before[0] == sum(r.prompt_tokens for r in rows)
    assert after[1] - before[1] == sum(r.completion_tokens for r in rows)
    assert all(r.completion_tokens <= r.max_tokens for r in rows)


def test_thinking_stays_out_of_workspaces(url: str) -> None:
    with Endpoint.open(EndpointSettings(urls=(url,))) as endpoint, dspy.context(lm=endpoint.lm):
        (problem,) = worksheets(1, lines=3, split="search", seed=6)
        try:
            record = PDR(Worksheet, WORKFLOWS[0])(**problem.inputs).run
        except WorkflowFailed as failed:
            record = failed.record
    assert all("think>" not in w for r in record.rounds for w in r.workspaces)
    assert all("think>" not in d.solution for r in record.rounds for d in r.drafts)
