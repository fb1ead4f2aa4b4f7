"""SmolLM2-135M-Instruct on a real vLLM, one for the session, and everything that is measured on it, once.

The checkpoint is made by `make real-model`. PDR_REAL_URL names a server that already runs with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments.real import checkpoint
from experiments.real.measure import NAMES, Measured, Plainly, easy_data, plainly, table, through_the_library
from experiments.real.serve import precision, serve
from pdr_dspy.endpoint import Endpoint, EndpointSettings, MemoryStore

from ..conftest import no_vllm
from ..contract.support import Served


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured.

    Attributes:
        plain: The model asked plainly.
        rows: What the library makes of it, by the workflow's name.
        growth: By how much the server's counters have grown through the library's requests.
    """

    plain: Plainly
    rows: dict[str, Measured]
    growth: dict[str, int]


@pytest.fixture(scope="session")
def real_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The model on a real vLLM, without a reasoning parser."""
    if url := os.environ.get("PDR_REAL_URL"):
        with Endpoint.open(EndpointSettings((url,))) as endpoint:
            yield Served("vllm", endpoint.settings.urls[0], endpoint.identity.model, parser=False)
        return
    python: Path = request.getfixturevalue("vllm_python")
    if not checkpoint.made(checkpoint.place()):
        no_vllm(f"there is no checkpoint at {checkpoint.place()} (`make real-model` makes it)")
    with serve(python=python, log_path=tmp_path_factory.mktemp("real") / "server.log") as running:
        yield Served("vllm", running.base_url, running.model, parser=False)


@pytest.fixture(scope="session")
def found(real_model: Served, measured: Callable[[str], None]) -> Found:
    """Every workflow on all problems; the table is shown at the end of the session.

    On a processor without bfloat16 this would take half an hour: there on every third problem.
    """
    problems, data = easy_data(1 if precision() == "bfloat16" else 3)
    before = real_model.metrics()
    with Endpoint.open(EndpointSettings((real_model.base_url,)), MemoryStore()) as endpoint:
        rows = {name: through_the_library(endpoint, name, data) for name in NAMES}
        growth = real_model.since(before)
        plain = plainly(endpoint, problems, max_tokens=rows["long_cot"].cap)
    for line in table(plain, list(rows.values())):
        measured(line)
    return Found(plain, rows, growth)
