"""A forked child of a process that has called: its calls work, and so do the parent's afterwards."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from typing import Any

import dspy
import pytest
from fakes.stages import by_stage
from fakes.vllm import FakeVLLM

from pdr_dspy import forking
from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Round, Summary, Workflow

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

SMALL = Workflow(name="small", rounds=(Round(width=2, distill=Summary(tokens=64)), Round(width=1)))


def solve(endpoint: Endpoint) -> str:
    with dspy.context(lm=endpoint.lm):
        return str(PDR("problem -> answer", SMALL, budget="tokens=2k,total=50k")(problem="q").answer)


def child(endpoint: Endpoint, said: Any) -> None:
    said.send([solve(endpoint) for _ in range(2)])


def test_parent_and_child_both_go_on() -> None:
    context = multiprocessing.get_context("fork")
    with (
        FakeVLLM(answer=by_stage, context=8192, tokenizer="words") as server,
        Endpoint.open(EndpointSettings(urls=(server.url,))) as endpoint,
    ):
        first = solve(endpoint)
        heard, said = context.Pipe(duplex=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own: the process has threads
            process = context.Process(target=child, args=(endpoint, said))
            process.start()
        said.close()
        try:
            assert heard.poll(60), "the child hangs"
            assert heard.recv() == [first, first]
            process.join(60)
            assert process.exitcode == 0
        finally:
            process.kill()
        assert solve(endpoint) == first
        assert endpoint.in_flight == 0


def test_what_is_gone_is_not_reset() -> None:
    class Owner:
        def reset(self) -> None:
            raise AssertionError

    owner = Owner()
    forking.in_child(owner.reset)
    before = len(forking._resets)
    del owner
    forking.in_child(int)
    assert len(forking._resets) == before
    forking._resets.pop()
