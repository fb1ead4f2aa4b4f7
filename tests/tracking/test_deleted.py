"""What somebody deletes, renames or ends in MLflow while a study goes on, or between two of its runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pdr_dspy.tracking import Tracker, TrackingError

from .conftest import trial

Project = Callable[..., Path]


def test_a_studys_run_that_is_deleted_while_it_goes_on_is_made_anew(project: Project) -> None:
    tracker = Tracker.open(project(), "s")
    run = tracker.start_study("s", {"program": "pdr"}, {"budget": "16k"})
    trial(tracker, 0)
    client = tracker._client
    client.delete_run(run)
    tracker.log(run, metrics={"hypervolume": 0.5}, artifacts={"report.md": "# whole"})
    tracker.log_figure(run, "front", html="<p>front</p>")
    tracker.describe(run, "A winner")
    late = trial(tracker, 1)
    tracker.finish(run)
    (again,) = client.search_runs([tracker.experiment_id], 'tags.role = "study"')
    assert again.info.run_id != run and again.info.status == "FINISHED" and not tracker.failures
    assert again.data.params == {"budget": "16k"} and again.data.metrics == {"hypervolume": 0.5}
    assert {one.path for one in client.list_artifacts(again.info.run_id)} == {"report.md", "front.html"}
    assert client.get_run(late).data.tags["study_run"] == again.info.run_id
    assert client.get_run(run).info.lifecycle_stage == "deleted"


def test_a_trials_run_that_is_deleted_is_said_and_left_alone(project: Project) -> None:
    tracker = Tracker.open(project(), "s")
    run = trial(tracker, 0)
    tracker._client.delete_run(run)
    tracker.log(run, metrics={"report_accuracy": 0.5})
    (failure,) = tracker.failures
    assert "active" in failure.detail and tracker._client.get_run(run).info.lifecycle_stage == "deleted"


def test_an_experiment_that_is_deleted_and_restored_lacks_nothing(project: Project) -> None:
    root = project()
    tracker = Tracker.open(root, "s")
    run = tracker.start_study("s")
    tracker._client.delete_experiment(tracker.experiment_id)
    assert trial(tracker, 0) == ""
    tracker.log(run, metrics={"m": 1.0})
    tracker.finish(run)
    assert len(tracker.failures) == 3 and all("active" in one.detail for one in tracker.failures)
    with pytest.raises(TrackingError, match=f"restore --experiment-id {tracker.experiment_id}"):
        Tracker.open(root, "s")
    tracker._client.restore_experiment(tracker.experiment_id)
    tracker.catch_up()
    tracker.finish(run)
    found = tracker._client.search_runs([tracker.experiment_id], 'tags.role = "trial"')
    assert [one.data.tags["trial"] for one in found] == ["0"]
    assert "log trial 0 of s" not in {one.action for one in tracker.failures}


def test_a_study_goes_on_in_an_experiment_that_was_renamed(project: Project) -> None:
    root = project()
    first = Tracker.open(root, "s")
    run = first.start_study("s")
    first._client.rename_experiment(first.experiment_id, "mine, the good one")
    later = trial(first, 0)
    again = Tracker.open(root, "s", going_on=True)
    assert again.experiment_id == first.experiment_id and again.start_study("s") == run
    assert trial(again, 0) == later
    # Another study of this name, that nobody began before, has nothing to do with it.
    assert Tracker.open(root, "s").experiment_id != first.experiment_id


def test_a_run_that_was_removed_for_good_does_not_keep_a_study_from_going_on(project: Project) -> None:
    tracker = Tracker.open(project(), "s")
    said = ["0" * 32]

    def register(run: str | None) -> list[str]:
        said.extend([run] if run else [])
        return said

    run = tracker.start_study("s", register=register)
    assert run and said == ["0" * 32, run] and not tracker.failures


def test_the_register_of_a_project_that_was_moved_is_begun_with_the_run_it_had(project: Project) -> None:
    root = project()
    run = Tracker.open(root, "s").start_study("s", register=lambda run: [run] if run else [])
    said: list[str] = []

    def register(run: str | None) -> list[str]:
        said.extend([run] if run else [])
        return said

    moved = Tracker.open(root.rename(root.with_name("b")), "s", going_on=True)
    assert moved.start_study("s", register=register) == run and said == [run]


def test_a_run_that_was_ended_elsewhere_is_written_to_the_end(project: Project) -> None:
    tracker = Tracker.open(project(), "s")
    run = tracker.start_study("s")
    tracker._client.set_terminated(run, "KILLED")
    tracker.log(run, metrics={"m": 1.0}, artifacts={"a.txt": "a"})
    tracker.finish(run)
    found = tracker._client.get_run(run)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"m": 1.0}) and not tracker.failures


def test_a_list_of_tables_that_somebody_edited_costs_nothing(project: Project) -> None:
    tracker = Tracker.open(project(), "s")
    run = tracker.start_study("s")
    for edited in ("[", "{}", "null"):
        tracker._client.set_tag(run, "mlflow.loggedArtifacts", edited)
        tracker.log(run, tables={"problems": [{"a": 1}]})
        assert "problems.json" in tracker._client.get_run(run).data.tags["mlflow.loggedArtifacts"]
    assert not tracker.failures
