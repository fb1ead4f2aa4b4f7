"""A project's directory that was moved or copied: artifacts go where the project is, and old runs are still shown."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking._tracking_service import utils

from pdr_dspy.tracking import Tracker, TrackingError

from .conftest import trial

Project = Callable[..., Path]


def text_of(tracker: Tracker, run: str) -> str:
    utils._artifact_repos_cache.clear()  # MLflow keeps for a process where a run's artifacts are, whatever the database
    return Path(tracker._client.download_artifacts(run, "w.yaml")).read_text(encoding="utf-8")


def test_a_moved_project_writes_where_it_is(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    old = project()
    before = Tracker.open(old, "s")
    study, first = before.start_study("s"), trial(before, 0)
    other = trial(Tracker.open(old, "another"), 0, "another")
    new = old.rename(old.with_name("b"))
    with caplog.at_level(logging.WARNING):
        after = Tracker.open(new, "s")
    assert [str(old) in said and str(new) in said for said in caplog.messages] == [True]
    assert after.start_study("s") == study
    second = trial(after, 1)
    assert not old.exists() and not after.failures
    assert {text_of(after, run) for run in (first, second)} == {"n: 0", "n: 1"}
    # What nobody opens any more is shown as well, and it is said once.
    assert text_of(after, other) == "n: 0"
    caplog.clear()
    Tracker.open(new, "s")
    assert caplog.messages == []


def test_a_project_that_was_begun_from_within_another_is_not_taken_for_moved(
    project: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = project("around")
    Tracker.open(around, "s")
    monkeypatch.chdir(around)
    root = project()
    tracker = Tracker.open(root, "s")
    assert Tracker.open(root, "s").experiment_id == tracker.experiment_id and caplog.messages == []
    locations = {one.artifact_location for one in tracker._client.search_experiments()}
    assert locations == {(root / "mlruns" / name).as_uri() for name in ("0", "s")}


def test_nothing_is_written_where_something_else_is_now(project: Project) -> None:
    old = project()
    trial(Tracker.open(old, "s"), 0)
    new = old.rename(old.with_name("b"))
    old.write_text("another's", encoding="utf-8")
    after = Tracker.open(new, "s")
    assert text_of(after, trial(after, 1)) == "n: 1" and not after.failures
    assert old.read_text(encoding="utf-8") == "another's"


def test_a_copy_writes_to_itself(project: Project) -> None:
    old = project()
    one = trial(Tracker.open(old, "s"), 0)
    new = old.with_name("b")
    shutil.copytree(old, new)
    late = trial(Tracker.open(old, "s"), 1)
    copy = Tracker.open(new, "s")
    two = trial(copy, 1)
    assert text_of(copy, two) == text_of(Tracker.open(old, "s"), late) == "n: 1"
    assert {path.parts[-3] for path in new.rglob("w.yaml")} == {one, two}
    assert {path.parts[-3] for path in old.rglob("w.yaml")} == {one, late}


def test_what_lies_in_the_old_place_alone_stays_named_there(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    old = project()
    before = Tracker.open(old, "s")
    study, one = before.start_study("s"), trial(before, 0)
    before.log(study, artifacts={"w.yaml": "of the original"})
    new = project("b")
    shutil.copy(old / "mlflow.db", new / "mlflow.db")  # without the artifacts
    copy = Tracker.open(new, "s")
    assert "1 earlier runs stay" in caplog.text and text_of(copy, one) == "n: 0"
    assert copy.start_study("s") == study
    utils._artifact_repos_cache.clear()
    copy.log(study, artifacts={"w.yaml": "of the copy"})
    assert (new / "mlruns" / "s" / trial(copy, 1) / "artifacts" / "w.yaml").is_file()
    assert text_of(copy, study) == "of the copy" and text_of(Tracker.open(old, "s"), study) == "of the original"
    assert not copy.failures


@pytest.mark.parametrize("moved", [True, False])
def test_an_experiment_that_was_renamed_comes_home(project: Project, moved: bool) -> None:
    old = project()
    before = Tracker.open(old, "s")
    study, first = before.start_study("s"), trial(before, 0)
    before._client.rename_experiment(before.experiment_id, "renamed")
    new = old.with_name("b")
    if moved:
        old.rename(new)
    else:
        shutil.copytree(old, new)
    after = Tracker.open(new, "s", going_on=True)
    assert after.start_study("s") == study
    second = trial(after, 1)
    assert {text_of(after, run) for run in (first, second)} == {"n: 0", "n: 1"} and not after.failures
    assert (new / "mlruns" / "s" / second).is_dir()
    assert not old.exists() if moved else {path.parts[-3] for path in old.rglob("w.yaml")} == {first}


def test_artifacts_that_were_never_ours_are_left_where_they_are(project: Project, tmp_path: Path) -> None:
    root = project()
    client = Tracker.open(root, "x")._client
    client.create_experiment("s", (tmp_path / "bucket").as_uri())
    client.create_experiment("far", "s3://bucket/mlruns/far")
    tracker = Tracker.open(root, "s")
    assert (tmp_path / "bucket" / trial(tracker, 0) / "artifacts" / "w.yaml").is_file()
    Tracker.open(root, "far")
    locations = {one.name: one.artifact_location for one in client.search_experiments()}
    assert locations["s"] == (tmp_path / "bucket").as_uri() and locations["far"] == "s3://bucket/mlruns/far"


def test_a_link_to_a_project_is_the_project(project: Project, tmp_path: Path) -> None:
    root = project()
    (tmp_path / "link").symlink_to(root)
    Tracker.open(root, "s")
    tracker = Tracker.open(tmp_path / "link", "s")
    assert (root / "mlruns" / "s" / trial(tracker, 0)).is_dir() and tracker.uri == f"sqlite:///{root}/mlflow.db"


@pytest.mark.parametrize("name", ["a b", "a#b", "größe 数学", "a'b", "a;b@c", "50%"])
def test_a_project_may_have_any_name(project: Project, name: str) -> None:
    root = project(name)
    tracker = Tracker.open(root, name)
    run = trial(tracker, 0)
    assert text_of(tracker, run) == "n: 0" and not tracker.failures
    assert {path.name for path in root.iterdir()} == {"mlflow.db", "mlruns"} and len(list(root.rglob("w.yaml"))) == 1
    moved = Tracker.open(root.rename(root.with_name(f"{name}2")), name)
    assert text_of(moved, run) == "n: 0" and text_of(moved, trial(moved, 1)) == "n: 1"
    assert [path.name for path in root.parent.iterdir()] == [f"{name}2"]


@pytest.mark.parametrize("name", ["what?", "a%20b"])
def test_a_name_that_no_address_can_hold_is_refused(project: Project, name: str) -> None:
    root = project(name)
    with pytest.raises(TrackingError, match="Rename the directory"):
        Tracker.open(root, "s")
    assert {path.name for path in root.parent.iterdir()} == {name}


def test_artifacts_that_can_not_be_written_are_known_before_anything_is_spent(project: Project) -> None:
    root = project()
    (root / "mlruns").write_text("in the way", encoding="utf-8")
    with pytest.raises(TrackingError, match="artifacts can't be written"):
        Tracker.open(root, "s")


@pytest.mark.parametrize(
    ("version", "words"), [("7ac759974ad8", "mlflow db upgrade"), ("ffffffffffff", "newer MLflow")]
)
def test_a_database_of_another_mlflow_is_left_as_it_is(project: Project, version: str, words: str) -> None:
    root = project()
    with sqlite3.connect(root / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
        database.execute("DROP TABLE experiment_tags")  # what an older one has not: MLflow would begin to migrate
    database.close()
    before = (root / "mlflow.db").read_bytes()
    with pytest.raises(TrackingError, match=words):
        Tracker.open(root, "s")
    assert (root / "mlflow.db").read_bytes() == before


def test_a_database_that_another_program_writes_to_is_said_to_be_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project()
    Tracker.open(root, "s")
    moved = root.rename(root.with_name("b"))
    monkeypatch.setattr("pdr_dspy.tracking.database.WAIT", 0.1)
    other = sqlite3.connect(moved / "mlflow.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TrackingError, match="Another program is writing"):
        Tracker.open(moved, "s")
    other.close()
    assert not Tracker.open(moved, "s").failures
