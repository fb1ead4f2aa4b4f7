"""Fixtures of the questions' tests: the scripted model, a configuration on forty problems, the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM

sys.path.insert(0, str(Path(__file__).parent))

from support import SMALL, Silent, problems, solve

from experiments.questions.__main__ import main


@pytest.fixture
def model(start_fake: Callable[..., FakeVLLM]) -> FakeVLLM:
    """A scripted model that solves `say N` now and then."""
    return start_fake(context=8192, answer=solve)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The small configuration in a file, its problems beside it."""
    data = tmp_path / "data.jsonl"
    data.write_text(problems(40), encoding="utf-8")
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("DATA", str(data)), encoding="utf-8")
    return path


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`command("frontier", "--config", ...)` runs the command in an empty directory, without MLflow; its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("experiments.questions.session.Tracking", Silent)
    monkeypatch.setattr(Silent, "made", [])
    return lambda *arguments: main([str(a) for a in arguments])
