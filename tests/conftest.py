"""Fixtures shared by all rooms: scripted stand-ins for a vLLM server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
sys.path.insert(0, str(Path(__file__).parent))  # `from fakes.vllm import ...` in every room's tests

import pytest
from fakes.vllm import FakeVLLM
from hypothesis import settings

from pdr_dspy.embedded import EmbeddedReasoner
from pdr_dspy.embedded import start as start_embedded
from pdr_dspy.embedded.serve import WEIGHTS

# Time limits of single examples say more about the machine's load than about the code.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


@pytest.fixture(scope="session", autouse=True)
def dspys_cache_is_not_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is asked through DSPy's cache is kept for this session alone, and no entry of an earlier one is read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSPY_CACHEDIR", str(tmp_path_factory.mktemp("dspy_cache")))
        yield


MEASURED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Takes a line on what was measured; all of them are shown at the end of the session."""
    return pytestconfig.stash.setdefault(MEASURED, []).append


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several test processes passes on what it measured."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["measured"] = session.config.stash.get(MEASURED, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a test process measured (a process that died has nothing to pass on)."""
    node.config.stash.setdefault(MEASURED, []).extend(getattr(node, "workeroutput", {}).get("measured", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show what was measured."""
    if lines := config.stash.get(MEASURED, []):
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)


def no_vllm(problem: str) -> None:
    """Skip, or fail where a vLLM is required."""
    if os.environ.get("PDR_VLLM_REQUIRED") == "1":
        pytest.fail(f"PDR_VLLM_REQUIRED=1, but {problem}", pytrace=False)
    pytest.skip(problem)


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """The Python of an environment with vLLM."""
    if not (named := os.environ.get("PDR_VLLM_PYTHON")):
        no_vllm("PDR_VLLM_PYTHON names no Python with vLLM (`make vllm` makes one)")
    return Path(str(named))


@pytest.fixture
def start_fake() -> Iterator[Callable[..., FakeVLLM]]:
    """A factory of running fake servers (arguments as `FakeVLLM`'s), all stopped at the end of the test."""
    servers: list[FakeVLLM] = []

    def start(**options: Any) -> FakeVLLM:
        servers.append(FakeVLLM(**options).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def fake_vllm(start_fake: Callable[..., FakeVLLM]) -> FakeVLLM:
    """One running fake server: model `fake-model`, context 4096, words as tokens, every answer "ok"."""
    return start_fake()


@pytest.fixture(scope="session")
def weights() -> Path:
    """The library's own weights, or others to be tried (`PDR_TEST_WEIGHTS`)."""
    return Path(os.environ.get("PDR_TEST_WEIGHTS", WEIGHTS))


@pytest.fixture(scope="session")
def embedded_server(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedReasoner]:
    """The embedded reasoner, one for the session, without a key; it puts the thinking into a field of its own."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    with start_embedded(weights=weights, log_path=log, api_key="") as running:
        yield running
