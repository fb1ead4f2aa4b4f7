"""A search whose runs can't be kept ends before it has cost anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM
from search_support import Command, Silent

from pdr_dspy.tracking import TrackingError


class Refusing(Silent):
    """A tracker that can't be opened."""

    def opened(self) -> None:
        """Not at all."""
        raise TrackingError("tracking", "http://mlflow:5000 does not answer", "Start it")

    ready = opened


@pytest.mark.parametrize("proposing", [[], ["--propose", 1]], ids=["trials", "proposals"])
def test_no_token_is_spent_where_runs_can_not_be_kept(
    command: Command,
    model: FakeVLLM,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    proposing: list[object],
) -> None:
    monkeypatch.setattr("optimize.engine.setup.Tracking", Refusing)
    search = ("--budget", "tokens=4k", "--endpoint", model.url, "--data", data, "--trials", 1, *proposing)
    assert command("search", *search) == 2
    assert "http://mlflow:5000 does not answer" in capsys.readouterr().err and model.calls == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite://")
    assert command("search", *search) == 2
    assert "tracking: sqlite:// is in memory" in capsys.readouterr().err and model.calls == []
