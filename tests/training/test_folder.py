"""A stage's folder: goes on with what it was begun with, refuses another training, ignores half a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.configuration import ConfigError
from experiments.training.folder import STATE, Folder


def test_it_goes_on_with_its_notes(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "a" / "b")
    assert folder.begin({"rate": 1e-4, "model": "m"}) == {}
    folder.note(mlflow_run="abc")
    assert folder.begin({"model": "m", "rate": 1e-4}) == {"mlflow_run": "abc"}


def test_what_never_came_to_a_checkpoint_is_begun_anew(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.begin({"rate": 1e-4})
    folder.note(mlflow_run="abc")
    assert folder.begin({"rate": 1e-5}) == {}


def test_it_has_ended_when_that_was_noted_of_as_many_steps(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    what = {"rate": 1e-4}
    folder.begin(what)
    folder.final.mkdir()
    assert not folder.ended(what, 3)
    folder.note(ended=3)
    assert folder.ended(what, 3) and not folder.ended(what, 5)
    with pytest.raises(ConfigError) as error:
        folder.ended({"rate": 1e-5}, 3)
    assert "rate" in error.value.problem


@pytest.mark.parametrize("left", ["checkpoint.pt", "checkpoint-4", "states", "final"])
def test_what_is_left_of_a_training_is_not_taken_over_without_its_notes(left: str, tmp_path: Path) -> None:
    (tmp_path / left).mkdir()
    with pytest.raises(ConfigError) as error:
        Folder(tmp_path).begin({"rate": 1e-4})
    assert "training.json" in error.value.problem


@pytest.mark.parametrize("text", ["{", "[]", "null", "{}", '{"mark": "a"}', '{"mark": "a", "notes": {}}'])
def test_notes_that_are_none_are_an_error_that_says_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(text)
    with pytest.raises(ConfigError) as error:
        Folder(tmp_path).begin({"rate": 1e-4})
    assert "training.json" in error.value.problem


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    with Folder(tmp_path / "a").held():
        with pytest.raises(ConfigError) as error, Folder(tmp_path / "a").held():
            pass
        assert "another process" in error.value.problem
    with Folder(tmp_path / "a").held():
        pass


def test_a_folder_that_can_not_be_used_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError), Folder(tmp_path / "file").held():
        pass
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(ConfigError) as error:
        Folder(tmp_path).notes()
    assert error.value.field == "--output"


def test_another_training_is_refused_and_says_what_differs(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.begin({"rate": 1e-4, "model": "m"})
    (tmp_path / "checkpoint-1").mkdir()
    with pytest.raises(ConfigError) as error:
        folder.begin({"rate": 1e-5, "model": "m"})
    assert "rate" in error.value.problem and "model" not in error.value.problem


def test_the_newest_whole_checkpoint_counts_and_half_a_one_is_removed(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.last_checkpoint() is None
    for step in (2, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / STATE).write_text(json.dumps({"global_step": step}))
    (tmp_path / "checkpoint-12").mkdir()  # killed before its state was written
    (tmp_path / "checkpoint-14").mkdir()
    (tmp_path / "checkpoint-14" / STATE).write_text('{"global_st')
    assert folder.last_checkpoint() == tmp_path / "checkpoint-10"
    (tmp_path / "checkpoint-2" / "averaged.pt").touch()
    assert not (tmp_path / "checkpoint-12").exists() and not (tmp_path / "checkpoint-14").exists()
    assert folder.last_checkpoint(("averaged.pt",)) == tmp_path / "checkpoint-2"  # the other lacks a part
