"""What a search weighs: two objectives or three, from the command line to the journal, the table and the plots."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM
from search_support import Command, measured

from optimize.objectives.criteria import Latency, Objectives, parse_objectives
from optimize.objectives.front import Point, dominates
from optimize.objectives.limits import parse_limits
from optimize.space.fitting import make_space
from optimize.study.fingerprint import FINGERPRINT
from optimize.study.storages import open_storage
from optimize.study.study import Study
from pdr_dspy.budget import parse_budget
from pdr_dspy.command.guarded import REFUSED
from pdr_dspy.errors import InputError

THREE = Objectives(costs=("latency", "total_tokens"))
SMALL = ("--budget", "tokens=4k", "--problems", 4, "--report-problems", 4, "--study", "s", "--trials", 4)


@pytest.mark.parametrize(
    ("text", "latency", "objectives"),
    [
        ("accuracy,latency", "seconds", Objectives()),
        ("latency,accuracy", "tokens", Objectives("tokens")),
        ("accuracy,total_tokens", "seconds", Objectives(costs=("total_tokens",))),
        ("total_tokens, latency, accuracy", "seconds", THREE),
    ],
)
def test_objectives_as_people_write_them(text: str, latency: Latency, objectives: Objectives) -> None:
    assert parse_objectives(text, latency) == objectives


@pytest.mark.parametrize(
    ("text", "latency", "field", "words"),
    [
        ("accuracy", "seconds", "--objectives", "nothing to weigh"),
        ("latency,total_tokens", "seconds", "--objectives", "accuracy is not among them"),
        ("accuracy,speed", "seconds", "--objectives", "'speed' is no objective"),
        ("accuracy,latency,latency", "seconds", "--objectives", "comes twice"),
        ("", "seconds", "--objectives", "is no objective"),
        ("accuracy,total_tokens", "tokens", "--latency", "not among the objectives"),
    ],
)
def test_other_texts_are_refused_by_name(text: str, latency: Latency, field: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_objectives(text, latency)
    assert caught.value.field == field and words in caught.value.problem and "accuracy" in str(caught.value)


def test_a_limit_on_what_is_not_weighed_is_refused() -> None:
    with pytest.raises(InputError, match="--objectives") as caught:
        parse_limits("20s", None, Objectives(costs=("total_tokens",)))
    assert caught.value.field == "--max-latency"
    assert parse_limits("20s", "0.5", THREE).violations(Point(0.4, 21.0, 9.0)) == {
        "max_latency": 1.0,
        "min_accuracy": pytest.approx(0.1),
    }


def test_a_measurement_is_a_point_of_what_is_weighed() -> None:
    one = measured(0.5, 2.0, path=100.0)  # and four times as many tokens in all
    assert one.point(Objectives()) == Point(0.5, 2.0)
    assert one.point(Objectives("tokens")) == Point(0.5, 100.0)
    assert one.point(Objectives(costs=("total_tokens",))) == Point(0.5, 400.0)
    assert one.point(THREE) == Point(0.5, 2.0, 400.0)
    assert THREE.told(one.point(THREE)) == "2 s and 400 tokens in all"


def opened(path: Path, objectives: Objectives = THREE) -> Study:
    space = make_space(parse_budget("tokens=16k"), 2048)
    return Study(open_storage(None, path), "s", space, {}, seed=0, owner="o", objectives=objectives)


def test_a_study_has_a_direction_and_a_name_for_each(tmp_path: Path) -> None:
    opened(tmp_path)
    study = opened(tmp_path)._study  # opened again: nothing is set twice
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
    assert study.metric_names == ["accuracy", "latency", "total_tokens"]
    journal = [json.loads(line) for line in (tmp_path / "journal.log").read_text().splitlines()]
    assert {len(entry["directions"]) for entry in journal if "directions" in entry} == {3}
    assert sum("metric_names" in str(entry) for entry in journal) == 1


@pytest.mark.parametrize("other", [Objectives(), Objectives(costs=("total_tokens",))])
def test_a_study_of_other_objectives_is_refused(tmp_path: Path, other: Objectives) -> None:
    opened(tmp_path)
    with pytest.raises(InputError, match="objectives was"):
        opened(tmp_path, other)


def test_a_study_made_before_there_was_a_choice_goes_on(tmp_path: Path) -> None:
    study = opened(tmp_path, Objectives())
    study.note(FINGERPRINT, {"directions": ["maximize", "minimize"]})
    opened(tmp_path, Objectives())
    study.note(FINGERPRINT, {"directions": ["maximize", "minimize"]})
    with pytest.raises(InputError, match="objectives was"):
        opened(tmp_path, Objectives(costs=("total_tokens",)))


def test_a_search_for_three_objectives(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (*SMALL, "--endpoint", model.url, "--data", data, "--topologies", "1,4-1,4-vote")
    asked = (*asked, "--objectives", "total_tokens,accuracy,latency")
    assert command("search", *asked) == 0
    out = capsys.readouterr().out
    assert "  total  " in out and "the fastest within a point of it" in out

    directory = tmp_path / "runs" / "s"
    front = json.loads((directory / "front.json").read_text())
    assert front["objectives"] == ["accuracy", "latency", "total_tokens"]
    points = {
        row["name"]: Point(r["accuracy"], r["p50"], r["metrics"]["mean_total_generated"])
        for row in front["rows"]
        if (r := row["report"])
    }
    for row in front["rows"]:
        beaten = any(dominates(p, points[row["name"]]) for p in points.values() if p.accuracy > 0)
        assert row["report_front"] == (not beaten and points[row["name"]].accuracy > 0)
    trials = opened_again(directory)
    assert all(len(t.values) == 3 and set(t.user_attrs["scores"]) == set(THREE.names) for t in trials)
    for name in ("pareto", "pareto_total_tokens", "pareto_search", "pareto_search_total_tokens"):
        assert (directory / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (directory / "report.html").read_text()
    assert "accuracy against latency" in page and "accuracy against total tokens" in page

    before = len(model.calls)
    assert command("search", *asked) == 0 and len(model.calls) == before
    capsys.readouterr()
    assert command("search", *asked[:-2]) == REFUSED
    assert "objectives was" in capsys.readouterr().err and len(model.calls) == before


def opened_again(directory: Path) -> list[object]:
    """The complete trials in the journal."""
    storage = open_storage(None, directory)
    trials = storage.get_all_trials(storage.get_study_id_from_name("s"), deepcopy=False)
    return [t for t in trials if t.state.name == "COMPLETE" and "duplicate_of" not in t.user_attrs]


def test_tokens_alone_against_accuracy(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (
        *SMALL[:-1],
        2,
        "--topologies",
        "1,4-1",
        "--endpoint",
        model.url,
        "--data",
        data,
        "--objectives",
        "accuracy,total_tokens",
    )
    assert command("search", *asked) == 0
    assert "the cheapest within a point of it" in capsys.readouterr().out
    rows = json.loads((tmp_path / "runs" / "s" / "front.json").read_text())["rows"]
    totals = [row["report"]["metrics"]["mean_total_generated"] for row in rows]
    assert totals == sorted(totals)
    assert not (tmp_path / "runs" / "s" / "pareto_total_tokens.png").exists()  # it is the one plot: pareto.png


@pytest.mark.parametrize("more", [("--load", "1,8"), ("--max-latency", "9s"), ("--latency", "tokens")])
def test_what_needs_latency_is_refused_without_it(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, str]
) -> None:
    asked = (*SMALL, "--endpoint", model.url, "--data", data, "--objectives", "accuracy,total_tokens")
    assert command("search", *asked, *more) == REFUSED
    assert capsys.readouterr().err.startswith(f"error: {more[0]}: ") and model.calls == []
