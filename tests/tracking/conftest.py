"""An empty database of runs, made once; and no variables of whoever runs the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pdr_dspy.tracking import Tracker
from pdr_dspy.tracking.opening import make_database

Project = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of MLflow's own are the test's."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables, which take seconds to make."""
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    make_database(path)
    return path


@pytest.fixture
def project(tmp_path: Path, empty: Path) -> Project:
    """`project("a")` is a project's directory of that name, with an empty database."""

    def made(name: str = "a") -> Path:
        root = tmp_path / name
        root.mkdir()
        shutil.copy(empty, root / "mlflow.db")
        return root

    return made


def trial(tracker: Tracker, number: int, study: str = "s") -> str:
    """Log a trial with a file."""
    return tracker.log_trial(
        study, number, params={"width": 1}, metrics={"m": 1.0}, artifacts={"w.yaml": f"n: {number}"}
    )
