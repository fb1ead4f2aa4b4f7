"""Tracking: what MLflow shows afterwards, and what happens when it fails. One database for all of them."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.secrets.credentials import STARS
from pdr_dspy.secrets.redaction import redacted
from pdr_dspy.tracking import Tracker, TrackingError
from pdr_dspy.tracking.opening import make_database
from pdr_dspy.tracking.text import KEY_LENGTH, PARAM_LENGTH, clean, cut, finite, table


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a project")


@pytest.fixture
def tracker(root: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Tracker.open(root, "aime 24/demo")


def client(tracker: Tracker) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracker.uri)


def runs(tracker: Tracker, study: str, role: str = "trial") -> list[Any]:
    words = f'tags.study = "{study}" and tags.role = "{role}"'
    return list(client(tracker).search_runs([tracker.experiment_id], words))


def artifact(run: Any, name: str) -> str:
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(f"{run.info.artifact_uri}/{name}")).read_text()


def test_runs_lie_where_a_plain_mlflow_ui_looks(tracker: Tracker, root: Path) -> None:
    run = tracker.start_study("where")
    tracker.log(run, artifacts={"notes.txt": "hello"})
    assert (root / "mlflow.db").is_file() and tracker.uri == f"sqlite:///{root}/mlflow.db"
    assert (root / "mlruns" / "aime_24_demo" / run / "artifacts" / "notes.txt").read_text() == "hello"
    assert Tracker.open(root, "aime 24/demo").experiment_id == tracker.experiment_id


def test_a_trial(tracker: Tracker) -> None:
    run_id = tracker.log_trial(
        "one",
        3,
        params={"width": 4, "workflow": "x" * 7000, "note": None},
        metrics={"accuracy": 0.5, "latency p95": 2, "odd": math.nan},
        artifacts={"workflow.yaml": "name: pdr\n"},
        tables={"problems": [{"problem": "a", "ok": True}, {"problem": "b", "seconds": 1.5}]},
        tags={"git": "abc"},
        started=1000.0,
        ended=1012.5,
    )
    (run,) = runs(tracker, "one")
    assert run.info.run_id == run_id and not tracker.failures
    assert (run.info.run_name, run.info.status) == ("trial 3", "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (1_000_000, 1_012_500)
    assert run.data.params["width"] == "4" and run.data.params["workflow"].endswith("[cut, 7000 characters]")
    assert run.data.metrics == {"accuracy": 0.5, "latency p95": 2.0}
    assert run.data.tags["trial"] == "3" and run.data.tags["git"] == "abc" and run.data.tags["not_finite"] == "odd"
    assert "mlflow.parentRunId" not in run.data.tags
    tracker.log(run_id, tables={"failed_calls": [{"text": "no answer"}]})
    tracker.log(run_id, tables={"failed_calls": [{"text": "no answer"}]})
    (run,) = runs(tracker, "one")
    shown = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    assert [table["path"] for table in shown] == ["problems.json", "failed_calls.json"]  # later ones come beside
    assert artifact(run, "workflow.yaml") == "name: pdr\n"
    assert json.loads(artifact(run, "problems.json")) == {
        "columns": ["problem", "ok", "seconds"],
        "data": [["a", True, None], ["b", None, 1.5]],
    }


def test_a_clock_that_was_set_back_makes_no_run_end_before_it_began(tracker: Tracker) -> None:
    tracker.log_trial("clock", 0, params={}, metrics={}, started=5000.0, ended=1400.0)
    (run,) = runs(tracker, "clock")
    assert (run.info.start_time, run.info.end_time) == (5_000_000, 5_000_000)


def test_a_trial_is_logged_once(tracker: Tracker, root: Path) -> None:
    first = tracker.log_trial("resumed", 0, params={"width": 1}, metrics={"accuracy": 0.1}, status="FAILED")
    again = Tracker.open(root, tracker.experiment).log_trial("resumed", 0, params={"width": 2}, metrics={})
    other = tracker.log_trial("resumed", 1, params={}, metrics={})
    assert first == again != other
    assert {r.data.tags["trial"]: r.info.status for r in runs(tracker, "resumed")} == {"0": "FAILED", "1": "FINISHED"}


def test_a_trial_that_was_interrupted_while_it_was_written_is_written_anew(tracker: Tracker) -> None:
    tags = {"study": "cut", "role": "trial", "trial": "0"}
    half = client(tracker).create_run(tracker.experiment_id, tags=tags).info.run_id
    client(tracker).log_param(half, "width", 1)
    done = tracker.log_trial("cut", 0, params={"width": 2}, metrics={})
    assert [r.info.run_id for r in runs(tracker, "cut")] == [done] and done != half and not tracker.failures


def test_a_study_has_one_run_for_good(tracker: Tracker, root: Path) -> None:
    name = 'the "best" study\'s'
    run = tracker.start_study(name, {"program": "pdr"}, {"budget": "tokens=16k"})
    tracker.log_trial(run, 0, params={}, metrics={})  # the study by its run id
    tracker.log(run, metrics={"hypervolume": 0.3})
    tracker.log_figure(run, "front", html="<p>front</p>", png=b"\x89PNG")
    tracker.log_figure(run, "plots/front", png=b"\x89PNG")
    tracker.finish(run)
    found = client(tracker).get_run(run)
    assert found.info.status == "FINISHED" and found.data.params == {"budget": "tokens=16k"}
    assert found.data.metrics == {"hypervolume": 0.3} and found.data.tags["program"] == "pdr"
    assert artifact(found, "front.html") == "<p>front</p>"
    assert [a.path for a in client(tracker).list_artifacts(run)] == ["front.html", "front.png", "plots"]
    assert Tracker.open(root, tracker.experiment).start_study(name) == run
    assert client(tracker).get_run(run).info.status == "RUNNING" and not tracker.failures


def test_a_study_and_its_trials_lead_to_each_other(tracker: Tracker) -> None:
    run = tracker.start_study("linked")
    trials = [tracker.log_trial("linked", i, params={}, metrics={}, title="8-1 top_each") for i in range(2)]
    tracker.describe(run, "A *fine* winner")
    note = client(tracker).get_run(run).data.tags["mlflow.note.content"]
    assert note.startswith("A *fine* winner") and 'tags.study = "linked"' in note
    (runs_, experiments) = re.findall(r"\(#/compare-runs\?runs=(\S+)&experiments=(\S+?)\)", note)[0]
    assert sorted(json.loads(unquote(runs_))) == sorted(trials)
    assert json.loads(unquote(experiments)) == [tracker.experiment_id]
    for trial in runs(tracker, "linked"):
        assert trial.data.tags["study_run"] == run and "mlflow.parentRunId" not in trial.data.tags
        told = trial.data.tags["mlflow.note.content"]
        assert f"[linked](#/experiments/{tracker.experiment_id}/runs/{run})" in told and "8-1 top\\_each" in told
    alone = tracker.log_trial("nobody started it", 0, params={}, metrics={})
    assert client(tracker).get_run(alone).data.tags["mlflow.note.content"] == "A trial of nobody started it"
    tracker.describe("", "")
    assert not tracker.failures


def test_of_the_runs_that_several_processes_make_for_a_study_the_first_registered_one_stays(
    tracker: Tracker, root: Path
) -> None:
    said: list[str] = []
    other = Tracker.open(root, "aime 24/demo")

    def register(run: str | None) -> list[str]:
        if run is not None:
            said.append(run)
        return list(said)

    def outrun(run: str | None) -> list[str]:
        if run is not None:
            other.start_study("raced", register=register)  # another process is faster by the blink of an eye
        return register(run)

    assert tracker.start_study("raced", tags={"who": "slow"}, register=outrun) == said[0]
    (run,) = runs(tracker, "raced", "study")
    assert run.info.run_id == said[0] and run.info.status == "RUNNING" and "who" not in run.data.tags
    client(tracker).delete_run(said[0])  # by its owner, in the UI
    again = tracker.start_study("raced", register=register)
    assert again == said[-1] and again not in said[:-1]


def test_what_was_logged_of_a_trial_that_was_lost_is_killed(tracker: Tracker) -> None:
    for number in (1, 2):
        tracker.log_trial("settled", number, params={}, metrics={})
    begun = tracker._runs.create("trial 3", {"study": "settled", "role": "trial", "trial": "3"})
    tracker.settle_trials("settled", {1})
    ends = {int(run.data.tags["trial"]): run.info.status for run in runs(tracker, "settled")}
    assert ends == {1: "FINISHED", 2: "KILLED", 3: "KILLED"} and begun and not tracker.failures


def test_more_than_one_batch(tracker: Tracker) -> None:
    tracker.log_trial("big", 0, params={f"p{i}": i for i in range(230)}, metrics={f"m{i}": i for i in range(150)})
    (run,) = runs(tracker, "big")
    assert len(run.data.params) == 230 and len(run.data.metrics) == 150 and not tracker.failures


def test_failures_are_kept_and_nothing_is_raised(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDR_API_KEY", "very-secret-key")

    def broken(*args: Any, **kwargs: Any) -> None:
        raise OSError("database is locked by very-secret-key")

    monkeypatch.setattr(tracker._client, "create_run", broken)
    assert tracker.start_study("broken") == ""
    assert tracker.log_trial("broken", 5, params={}, metrics={}) == ""
    tracker.log("", metrics={"a": 1})
    tracker.log_figure("", "front", html="x")
    tracker.finish("")
    tracker.finish("no such run")
    assert [f.action for f in tracker.failures] == ["start study broken", "log trial 5 of broken", "finish no such run"]
    assert tracker.failures[0].error == "OSError" and "very-secret-key" not in str(tracker.failures[0])


def test_a_tracker_that_can_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "gopher://user:pass@host")
    with pytest.raises(TrackingError, match="MLFLOW_TRACKING_URI") as error:
        Tracker.open(tmp_path, "x")
    assert "pass@" not in str(error.value)


def test_another_tracking_uri_is_honoured(tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    other = Tracker.open(tmp_path, "elsewhere")
    run = other.start_study("s")
    other.log(run, artifacts={"a.txt": "a"})
    assert other.uri == tracker.uri and (tmp_path / "mlruns" / "elsewhere" / run).is_dir()
    assert not (tmp_path / "mlflow.db").exists()


def test_a_deleted_experiment_says_so(tracker: Tracker, root: Path) -> None:
    client(tracker).delete_experiment(Tracker.open(root, "gone").experiment_id)
    with pytest.raises(TrackingError, match="deleted"):
        Tracker.open(root, "gone")


def test_secrets_reach_neither_params_nor_tags_nor_artifacts(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "plain-but-secret")
    tracker.log_trial(
        "secrets",
        0,
        params={"api_key": "k1", "lm": "key=plain-but-secret", "url": "http://me:word@host/v1", "tokens": "16k"},
        metrics={},
        artifacts={"config.yaml": "key: plain-but-secret, other: sk-abcdefghijklmnop1234"},
        tables={"calls": [{"detail": "Authorization: Bearer abc.def"}]},
        tags={"where": "plain-but-secret"},
    )
    (run,) = runs(tracker, "secrets")
    assert run.data.params == {
        "api_key": STARS,
        "lm": f"key={STARS}",
        "url": f"http://me:{STARS}@host/v1",
        "tokens": "16k",
    }
    assert run.data.tags["where"] == STARS
    assert artifact(run, "config.yaml") == f"key: {STARS}, other: {STARS}"
    assert "abc.def" not in artifact(run, "calls.json")


@given(st.text(), st.integers(60, 200))
def test_cutting_is_visible(text: str, length: int) -> None:
    short = cut(text, length)
    assert len(short) <= length and (short == text or f"{len(text)} characters" in short)


@given(st.dictionaries(st.text(max_size=400), st.text(max_size=50)))
def test_names_are_what_mlflow_takes(values: dict[str, str]) -> None:
    for name, value in clean(values).items():
        assert len(name) <= KEY_LENGTH and len(cut(value, PARAM_LENGTH)) <= PARAM_LENGTH


def test_short_keys_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDR_API_KEY", "EMPTY")
    assert redacted("an EMPTY workspace") == "an EMPTY workspace"


def test_tables_and_numbers() -> None:
    assert table([]) == {"columns": [], "data": []}
    assert table([{"a": math.inf, "b": Path("x")}]) == {"columns": ["a", "b"], "data": [["inf", "x"]]}
    assert finite({"a b": 1, "c%": math.inf}) == ({"a b": 1.0}, ["c%"])


def test_runs_of_lost_trials_are_deleted(tracker: Tracker) -> None:
    for number in range(4):
        tracker.log_trial("lossy", number, params={}, metrics={"accuracy": 0.5})
    tracker.log_trial("other", 1, params={}, metrics={})
    tracker.forget_trials("lossy", [1, 3, 7])
    assert sorted(run.data.tags["trial"] for run in runs(tracker, "lossy")) == ["0", "2"]
    assert len(runs(tracker, "other")) == 1 and not tracker.failures


def test_a_database_is_there_when_it_is_whole_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mlflow.db"

    def killed(engine: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("mlflow.store.db.utils._initialize_tables", killed)
        make_database(path)
    assert not path.exists()
    path.write_text("somebody's")
    make_database(path)
    assert path.read_text() == "somebody's" and list(tmp_path.iterdir()) == [path]
