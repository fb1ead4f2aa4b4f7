"""Checkpoints of the command line: their names, and what is wrong with those that can't be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.questions.checkpoints import named, targets
from pdr_dspy.errors import EndpointError, InputError


def names(before: str, *after: str) -> list[tuple[str, str]]:
    return [(c.name, c.where) for c in named([before], list(after))]


def test_without_names_they_are_before_and_after_and_then_their_folders() -> None:
    assert names("w/sft", "w/rl") == [("before", "w/sft"), ("after", "w/rl")]
    assert names("w/sft", "w/rl", "w/osft/", "./turn-1")[2:] == [("osft", "w/osft/"), ("turn-1", "./turn-1")]
    assert named(None, None) == ()


def test_a_name_stands_before_the_place() -> None:
    assert names("sft=w/sft", "trace_rl=w/rl", "o.1-a=http://h:1/v1") == [
        ("sft", "w/sft"), ("trace_rl", "w/rl"), ("o.1-a", "http://h:1/v1")
    ]  # fmt: skip
    assert names("a=b=c", "w")[0] == ("a", "b=c")


def test_an_equals_sign_of_a_path_or_an_address_is_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names("http://h/v1?key=x", "runs/alpha=0.1/final") == [
        ("before", "http://h/v1?key=x"), ("after", "runs/alpha=0.1/final")
    ]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alpha=0.1").mkdir()
    assert names("alpha=0.1", "alpha=0.2") == [("before", "alpha=0.1"), ("alpha", "0.2")]


@pytest.mark.parametrize(
    ("before", "after", "field", "problem", "mend"),
    [
        (None, ["x"], "--before", "two checkpoints are needed", "Add --before"),
        (["x"], None, "--after", "two checkpoints are needed", "Add --after"),
        (["x", "y"], ["z"], "--before", "there are 2", "with --after"),
        (["x"], ["before=y"], "--after", "x and y are both called 'before'", "--after NAME=y"),
        (["x"], ["y", "a/final", "b/final"], "--after", "a/final and b/final are both", "--after NAME=b/final"),
        (["x"], ["y="], "--after", "names nothing", "y=WHERE"),
        (["x"], ["y", "http://h:1/v1"], "--after", "no folder's name", "--after NAME=http://h:1/v1"),
        (["x"], ["y", "w/run (2)"], "--after", "no folder's name", "--after NAME=w/run (2)"),
    ],
)
def test_what_can_not_be_told_apart_is_refused(
    before: list[str] | None, after: list[str] | None, field: str, problem: str, mend: str
) -> None:
    with pytest.raises(InputError) as caught:
        named(before, after)
    assert caught.value.field == field
    assert problem in caught.value.problem and mend in caught.value.mend


def test_every_place_is_looked_at_before_the_first_is_measured(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EndpointError, match=f"{tmp_path} has no openvino_model"):  # trained, but not converted
        targets(named(["http://h:1/v1"], [str(tmp_path)]), None)
    with pytest.raises(InputError, match="neither an address nor a folder") as caught:
        targets(named(["http://h:1/v1"], ["nowhere"]), None)
    assert caught.value.field == "--after"
    found = targets(named(["a=http://h:1/v1"], ["b=https://h:2/v1"]), "served")
    assert {name: (t.urls, t.model) for name, t in found.items()} == {
        "a": (("http://h:1/v1",), "served"), "b": (("https://h:2/v1",), "served")
    }  # fmt: skip
