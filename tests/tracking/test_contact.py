"""Where runs go is known before anything is spent: an address that is none, in memory, or silent is said in seconds."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.mlflow_server import FakeMLflow

from pdr_dspy.tracking import Tracker, TrackingError
from pdr_dspy.tracking.place import place_of

from .conftest import trial

Project = Callable[..., Path]
FEW = 60
"""Seconds: far above the few that it takes on any machine, below the minutes that MLflow itself tries for."""

MEMORY = (
    "sqlite://",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite+pysqlite://",
    "SQLite:///:memory:",
    "sqlite:///file::memory:?cache=shared&uri=true",
    "sqlite:///file:x?mode=memory&uri=true",
    "file::memory:",
    ":memory:",
)


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def refusal(root: Path, uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    began = time.monotonic()
    with pytest.raises(TrackingError) as error:
        Tracker.open(root, "s")
    assert time.monotonic() - began < FEW and "Traceback" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """Importing it takes seconds that are nobody's address's fault."""
    import mlflow.store.tracking.rest_store
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


@pytest.mark.parametrize("uri", MEMORY)
def test_what_would_forget_every_run_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(TrackingError, match=r"in memory.* sqlite:////home/me/mlflow.db"):
        place_of(tmp_path, {"MLFLOW_TRACKING_URI": uri})


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("mlruns", "is a directory"),
        ("file:///tmp/mlruns", "is a directory"),
        ("sqlite:/mlflow.db", "is no address"),
        ("http://", "is no address"),
        ("http:///x", "is no address"),
        ("http://[", "is no address"),
    ],
)
def test_what_is_no_address_is_refused(tmp_path: Path, uri: str, words: str) -> None:
    with pytest.raises(TrackingError, match=words):
        place_of(tmp_path, {"MLFLOW_TRACKING_URI": uri})


@pytest.mark.parametrize("uri", ["", "  "])
def test_a_variable_without_a_word_is_none(tmp_path: Path, uri: str) -> None:
    assert place_of(tmp_path, {"MLFLOW_TRACKING_URI": uri}).kind == "own"


def test_the_projects_own_file_may_be_named(tmp_path: Path) -> None:
    assert place_of(tmp_path, {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}).kind == "own"
    assert place_of(tmp_path, {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/other.db"}).kind == "database"


@pytest.mark.parametrize(
    "uri", ["http://me:pa55word@127.0.0.1:9", "https://127.0.0.1:9", "postgresql://me:pa55word@127.0.0.1:9/x"]
)
def test_an_address_that_refuses_is_said_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    said = refusal(tmp_path, uri, monkeypatch)
    assert "does not answer" in said and "MLFLOW_TRACKING_URI" in said and "pa55word" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["http://{}", "postgresql://me@{}/x"])
def test_an_address_that_says_nothing_is_said_in_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str, kind: str
) -> None:
    assert "does not answer" in refusal(tmp_path, kind.format(silent), monkeypatch)


def test_what_goes_through_a_proxy_is_asked_of_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeMLflow() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.invalid:5000")
        tracker = Tracker.open(tmp_path, "s")
        assert trial(tracker, 0) in proxy.runs and not tracker.failures


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "MLFLOW_TRACKING_USERNAME"),
        (403, "MLFLOW_TRACKING_TOKEN"),
        (302, "sends requests on to http://elsewhere.invalid/"),
        (429, "answers with 429"),
        (500, "answers with 500"),
        (503, "answers with 503"),
    ],
)
def test_a_server_that_takes_no_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, words: str) -> None:
    with FakeMLflow(fault=lambda _: status) as server:
        assert words in refusal(tmp_path, server.url, monkeypatch)
        assert len(server.requests) == 1


@pytest.mark.parametrize("value", ["abc", "99"])
def test_a_variable_of_mlflows_that_makes_no_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", value)
    with FakeMLflow() as server:
        assert "other variables that begin with MLFLOW_" in refusal(tmp_path, server.url, monkeypatch)


def test_a_server_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_vllm: object) -> None:
    url = str(getattr(fake_vllm, "url", "")).removesuffix("/v1")
    assert "no MLflow server answers" in refusal(tmp_path, url, monkeypatch)


@pytest.mark.parametrize("uri", ["databricks", "databricks://nobody"])
def test_databricks_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "tracking: " in refusal(tmp_path, uri, monkeypatch)


def test_variables_of_a_program_of_the_callers_own_change_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import mlflow

    root = project()
    tracker = Tracker.open(root, "s")
    mine = tracker._client.create_run(tracker._client.create_experiment("mine", tmp_path.as_uri())).info.run_id
    for name, value in {"RUN_ID": mine, "EXPERIMENT_NAME": "mine", "EXPERIMENT_ID": "0"}.items():
        monkeypatch.setenv(f"MLFLOW_{name}", value)
    mlflow.set_tracking_uri(tracker.uri)
    try:
        with mlflow.start_run(run_id=mine):
            study = tracker.start_study("s", params={"a": 1})
            number = trial(tracker, 0)
            tracker.finish(study)
            assert mlflow.active_run().info.run_id == mine
    finally:
        mlflow.set_tracking_uri(None)
    found = tracker._client.get_run(mine)
    assert found.data.params == {} and found.data.metrics == {} and mine not in (study, number)
    assert tracker._client.get_run(number).info.experiment_id == tracker.experiment_id and not tracker.failures


def test_a_server_that_goes_away_ends_nothing_and_gets_what_it_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away: list[int] = []
    with FakeMLflow(fault=lambda _: away[0] if away else None) as server, caplog.at_level(logging.WARNING):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        tracker = Tracker.open(tmp_path, "s")
        study = tracker.start_study("s")
        assert trial(tracker, 0)
        away.append(503)
        assert [trial(tracker, number) for number in (1, 2, 3)] == ["", "", ""]
        asked = len(server.requests)
        tracker.log(study, metrics={"m": 1.0})
        assert len(server.requests) == asked + 1  # one short question
        assert [failure.action for failure in tracker.failures] == [
            *(f"log trial {number} of s" for number in (1, 2, 3)),
            f"log to {study}",
        ]
        away.clear()
        assert trial(tracker, 4)
        assert {server.tags(run)["trial"] for run in server.of("trial")} == {"0", "1", "2", "3", "4"}
        assert len(server.of("trial")) == 5 and {f"{run}/w.yaml" for run in server.of("trial")} <= set(server.artifacts)
        assert [failure.action for failure in tracker.failures] == [f"log to {study}"]


def test_what_the_server_lost_at_the_end_is_made_good_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    broken: list[str] = []
    with FakeMLflow(fault=lambda path: 500 if any(part in path for part in broken) else None) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        tracker = Tracker.open(tmp_path, "s")
        broken.append("/artifacts/")
        assert trial(tracker, 0) == ""
        (half,) = server.of("trial")
        assert server.runs[half]["info"]["status"] == "FINISHED" and "incomplete" in server.tags(half)
        broken.clear()
        tracker.catch_up()
        (whole,) = server.of("trial")
        assert whole != half and "incomplete" not in server.tags(whole) and f"{whole}/w.yaml" in server.artifacts
        assert not tracker.failures and trial(tracker, 0) == whole


def test_a_server_that_hangs_is_asked_once_in_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def hangs(*_: object) -> None:
        asked.append(1)
        raise TrackingError("tracking", "it does not answer", "Start it")

    with FakeMLflow() as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        tracker = Tracker.open(tmp_path, "s")
        study = tracker.start_study("s")
        monkeypatch.setattr("pdr_dspy.tracking.attempts.answers", hangs)
        monkeypatch.setattr("pdr_dspy.tracking.attempts.PATIENCE", 0)  # every question is as long as that
        tracker._attempts.doubtful = True
        for _ in range(5):
            tracker.log(study, metrics={"m": 1.0})
        assert len(asked) == 1 and len(tracker.failures) == 1
