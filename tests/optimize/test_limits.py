"""What is slower or less accurate than a user will take is on no front, and the search says what came nearest."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM
from search_support import Command

from optimize.objectives.criteria import Latency, Objectives
from optimize.objectives.front import Point
from optimize.objectives.limits import Limits, parse_limits
from optimize.space.fitting import make_space
from optimize.study.storages import open_storage
from optimize.study.study import Study
from pdr_dspy.budget import parse_budget
from pdr_dspy.command.guarded import REFUSED
from pdr_dspy.errors import InputError


@pytest.mark.parametrize(
    ("latency", "accuracy", "unit", "limits"),
    [
        ("20s", None, "seconds", Limits(20.0, None)),
        ("2m", "0.6", "seconds", Limits(120.0, 0.6)),
        ("4k", "60%", "tokens", Limits(4000.0, 0.6)),
        (None, None, "seconds", Limits()),
    ],
)
def test_limits_as_people_write_them(latency: str | None, accuracy: str | None, unit: Latency, limits: Limits) -> None:
    assert parse_limits(latency, accuracy, Objectives(unit)) == limits


@pytest.mark.parametrize(
    ("latency", "accuracy", "unit", "field"),
    [
        ("fast", None, "seconds", "--max-latency"),
        ("20s", None, "tokens", "--max-latency"),
        ("0", None, "tokens", "--max-latency"),
        (None, "60", "seconds", "--min-accuracy"),
        (None, "nan", "seconds", "--min-accuracy"),
        (None, "most", "seconds", "--min-accuracy"),
    ],
)
def test_other_texts_are_refused_by_name(latency: str | None, accuracy: str | None, unit: Latency, field: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_limits(latency, accuracy, Objectives(unit))
    assert caught.value.field == field


def test_a_trial_beyond_a_limit_is_infeasible_but_others_are_raced_against_it(tmp_path: Path) -> None:
    space = make_space(parse_budget("tokens=16k"), 2048)
    study = Study(open_storage(None, tmp_path), "s", space, {}, seed=0, owner="o", limits=Limits(2.0, 0.5))
    told = [Point(0.9, 3.0), Point(0.4, 1.0), Point(0.6, 1.5)]
    for point in told:
        study.tell(study.ask(), point, overrun=-1.0, attrs={})
    assert [study.point(t) for t in study.feasible] == [told[2]]
    assert [study.point(t) for t in study.beyond] == told[:2]
    assert study.limits.excess(told[0]) == pytest.approx(0.5) and study.limits.excess(told[1]) == pytest.approx(0.2)


def test_where_nothing_keeps_to_a_limit_the_search_says_what_came_nearest(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("--budget", "tokens=4k", "--endpoint", model.url, "--data", data, "--problems", 6, "--report-problems", 8)
    asked = (*small, "--trials", 3, "--study", "s")
    assert command("search", *asked, "--min-accuracy", "100%", "--max-latency", "0.0001s") == 0
    out = capsys.readouterr().out
    assert "no trial kept to --max-latency 0.0001 --min-accuracy 1" in out and "the nearest is t" in out
    assert command("search", *asked, "--min-accuracy", "50%") == REFUSED
    assert "limits" in capsys.readouterr().err


def test_a_mistaken_limit_costs_nothing(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--budget", "tokens=4k", "--endpoint", model.url, "--data", data, "--max-latency", "soon")
    assert command("search", *arguments) == REFUSED
    assert "--max-latency" in capsys.readouterr().err and model.calls == []
