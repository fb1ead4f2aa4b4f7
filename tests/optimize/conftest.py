"""Fixtures of the search's tests: a scripted model, problems, and the command in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM

sys.path.insert(0, str(Path(__file__).parent))

from search_support import Command, Silent, problems, solve

from optimize import report, run, search
from optimize.study.storages import open_storage


@pytest.fixture
def model(start_fake: Callable[..., FakeVLLM]) -> FakeVLLM:
    """A scripted model that solves `say N` now and then."""
    return start_fake(context=8192, answer=solve)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with Optuna's tables, which take a while to make: to be copied."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    open_storage(f"sqlite:///{path}", path.parent)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Forty problems in a file."""
    path = tmp_path / "data.jsonl"
    path.write_text(problems(40), encoding="utf-8")
    return path


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`command("search", "--budget", ...)` runs a command in an empty directory, without MLflow; its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("optimize.engine.setup.Tracking", Silent)

    def called(name: str, *arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        return {"search": search, "run": run, "report": report}[name].main()

    return called
