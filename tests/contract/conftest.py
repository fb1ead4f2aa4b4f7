"""The servers under contract: the embedded one, and a real vLLM where there is one.

vLLM is started from the Python that PDR_VLLM_PYTHON names, or is already running at PDR_VLLM_URL (without a reasoning
parser) and PDR_VLLM_PARSER_URL (with one). Without any of them its tests are skipped, or fail where
PDR_VLLM_REQUIRED=1 says that they must run.

`server` is each kind without a reasoning parser, `parsing` each kind with one. vLLM takes most of a minute to start: a
server lives for the session, one for each set of flags.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import httpx
import pytest

from pdr_dspy.embedded import EmbeddedReasoner, start
from pdr_dspy.embedded.vllm_server import start_vllm

from .support import Served

KINDS = [
    pytest.param("embedded", marks=pytest.mark.embedded),
    pytest.param("vllm", marks=pytest.mark.vllm),
]
StartVllm = Callable[..., EmbeddedReasoner]


@pytest.fixture(scope="session")
def start_one_vllm(vllm_python: Path, tmp_path_factory: pytest.TempPathFactory) -> StartVllm:
    """Starts a vLLM (`start_vllm`'s arguments); the caller ends it."""

    def launch(*flags: str, reasoning_parser: str = "think") -> EmbeddedReasoner:
        log = tmp_path_factory.mktemp("vllm") / "server.log"
        return start_vllm(python=vllm_python, log_path=log, reasoning_parser=reasoning_parser, flags=flags)

    return launch


@pytest.fixture(scope="session")
def served(request: pytest.FixtureRequest, weights: Path) -> Iterator[Callable[..., Served]]:
    """A server of a kind, with a reasoning parser or not (for vLLM: with flags); one of each for the session."""
    running: dict[tuple[object, ...], Served] = {}
    with ExitStack() as stack:

        def start_it(kind: Literal["embedded", "vllm"], parser: bool, flags: tuple[str, ...]) -> Served:
            name: Literal["think", "none"] = "think" if parser else "none"
            variable = "PDR_VLLM_PARSER_URL" if parser else "PDR_VLLM_URL"
            if kind == "vllm" and not flags and (url := os.environ.get(variable)):
                return Served(kind, url, _model_at(url), parser)
            if kind == "vllm":
                launch: StartVllm = request.getfixturevalue("start_one_vllm")
                one = stack.enter_context(launch(*flags, reasoning_parser=name))
            elif parser:
                one = request.getfixturevalue("embedded_server")
            else:
                one = stack.enter_context(start(weights=weights, reasoning_parser=name, api_key=""))
            return Served(kind, one.base_url, one.model, parser)

        def find(kind: Literal["embedded", "vllm"], *, parser: bool, flags: tuple[str, ...] = ()) -> Served:
            key = (kind, parser, flags)
            if key not in running:
                running[key] = start_it(kind, parser, flags)
            return running[key]

        yield find


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Literal["embedded", "vllm"]:
    """Each kind of server."""
    chosen: Literal["embedded", "vllm"] = request.param
    return chosen


@pytest.fixture(scope="session")
def server(kind: str, served: Callable[..., Served]) -> Served:
    """A server that leaves the thinking in the content."""
    return served(kind, parser=False)


@pytest.fixture(scope="session")
def parsing(kind: str, served: Callable[..., Served]) -> Served:
    """A server that puts the thinking into a field of its own (`--reasoning-parser`)."""
    return served(kind, parser=True)


@pytest.fixture(scope="session", params=[False, True], ids=["plain", "parsing"])
def either(request: pytest.FixtureRequest, kind: str, served: Callable[..., Served]) -> Served:
    """Both of them, one after the other."""
    return served(kind, parser=request.param)


def _model_at(url: str) -> str:
    (card, *_) = httpx.get(f"{url}/models", timeout=30, trust_env=False).raise_for_status().json()["data"]
    return str(card["id"])
