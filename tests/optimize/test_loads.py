"""A report at several loads: fewer problems at small ones, answers of its own at each, a front and a knee for each."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import stages
from fakes.vllm import Call, FakeVLLM, Reply
from hypothesis import given
from hypothesis import strategies as st
from search_support import Command

from optimize.engine.entries import over_loads
from optimize.objectives.criteria import Objectives
from optimize.objectives.loads import FEWEST, LoadLevel, check_loads, parse_loads, problems_at
from optimize.objectives.measurement import measurement
from optimize.reporting.report import Report, Row, ordered
from optimize.reporting.report_data import as_data
from optimize.reporting.table import as_markdown, as_text
from pdr_dspy.budget import parse_budget
from pdr_dspy.command.guarded import REFUSED
from pdr_dspy.errors import InputError
from pdr_dspy.evaluation import Evaluation, ProblemResult
from pdr_dspy.ledger import CallRecord, meters

BASE = CallRecord(
    call="a", attempt=0, run="r", stage="draft", step=0, round=0, index=0, sample=0, problem="p", model="m", replica="",
    outcome="ok", finish="stop", prompt_tokens=10, completion_tokens=20, cached_tokens=None, thinking_tokens=None,
    reported=True, max_tokens=100, requested_tokens=100, thinking_budget=80, seconds=1.0, first_token_seconds=None,
    started=0.0, replayed=False,
)  # fmt: skip


@pytest.mark.parametrize(("text", "loads"), [("32", (32,)), ("1,8,32", (1, 8, 32)), ("32, 1", (1, 32))])
def test_loads_as_people_write_them(text: str, loads: tuple[int, ...]) -> None:
    assert parse_loads(text) == loads


@pytest.mark.parametrize("text", ["", "0", "-1,4", "many", "4,4", "1,,2", "1.5"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="32 or 1,8,32") as caught:
        parse_loads(text)
    assert caught.value.field == "--load"


@pytest.mark.parametrize(
    ("objectives", "budget", "words"),
    [
        (Objectives("tokens"), "tokens=4k", "--latency tokens"),
        (Objectives(costs=("total_tokens",)), "tokens=4k", "--objectives"),
        (Objectives(), "tokens=4k,seconds=30", "seconds="),
    ],
)
def test_several_loads_are_refused_where_they_mean_nothing(objectives: Objectives, budget: str, words: str) -> None:
    check_loads((8,), objectives, parse_budget(budget))
    with pytest.raises(InputError, match="--load 8") as caught:
        check_loads((1, 8), objectives, parse_budget(budget))
    assert words in caught.value.mend


@given(st.sets(st.integers(1, 500), min_size=1, max_size=5), st.integers(1, 1000))
def test_a_smaller_load_measures_fewer_problems_and_never_too_few(loads: set[int], problems: int) -> None:
    found = problems_at(tuple(loads), problems)
    assert list(found) == sorted(loads, reverse=True) and found[max(loads)] == problems
    for load, count in found.items():
        assert min(problems, FEWEST) <= count <= problems
        assert count * max(loads) >= problems * load
        assert count <= FEWEST or (count - 1) * max(loads) < problems * load  # no longer than the largest takes


def busy(model: FakeVLLM, call: Call, delay: float) -> Reply:
    """Slower the more there is to do at once; wrong drafts never agree, and what is refined is mostly right."""
    stage = stages.stage_of(call)
    dice = random.Random(f"{call.body['seed']}{call.prompt}")
    right = dice.random() < (0.8 if stage == "refine" else 0.4)
    answer = stages.field(call, "problem").split()[-1] if right else dice.randint(1000, 9999)
    return Reply(text=stages.fields(solution="words", answer=answer), delay=delay * (2 + model.in_flight))


def arguments(model: FakeVLLM, data: Path, *more: object) -> tuple[object, ...]:
    small = ("--budget", "tokens=4k", "--problems", 4, "--report-problems", 10, "--study", "s", "--trials", 3)
    return (*small, "--endpoint", model.url, "--data", data, *more)


def took(record: CallRecord, calls: int, steps: int, seconds: float, right: bool, sample: int) -> ProblemResult:
    """A problem solved by so many parallel calls a step, each of so many seconds."""
    rows = [replace(record, call=f"{s}.{c}", step=s, seconds=seconds) for s in range(steps) for c in range(calls)]
    return ProblemResult(f"p{sample % 10}", sample, right, {}, None, "", meters(rows), tuple(rows))


def test_the_knee_moves_where_turns_are_taken() -> None:
    """Of three workflows the wide one is the dearest at load 1 and hardly dearer than a single call at load 8."""
    found: dict[int, list[Row]] = {8: [], 1: []}
    for name, calls, steps, right in (("lone", 1, 1, 4), ("chain", 1, 4, 8), ("wide", 8, 1, 10)):
        for load, rows in found.items():
            seconds = 1.0 + load / 10 + calls / 100
            results = [took(BASE, calls, steps, seconds, i < right, 100 * load + i) for i in range(10)]
            rows.append(Row(name, name, f"name: {name}\n", measurement(Evaluation(tuple(results)))))
    level = (LoadLevel(1, 10, 1.0), LoadLevel(8, 10, 7.5))
    report = Report(
        "s", "m", "tokens=16k", "d", 8, 7.5, Objectives(), 12, 10, 1, ordered(over_loads(found), Objectives()), level
    )
    alone, together = as_data(report)["loads"]
    p50 = [{row["name"]: row["p50"] for row in at["rows"]} for at in (alone, together)]
    assert p50[0] == pytest.approx({"lone": 1.11, "chain": 4.44, "wide": 8 * 1.18})
    assert p50[1] == pytest.approx({"lone": 1.81, "chain": 7.24, "wide": 1.88})
    assert alone["front"] == ["lone", "chain", "wide"] and alone["titles"] == {
        "best": "wide",
        "near": "wide",
        "knee": "chain",
    }
    assert together["front"] == ["lone", "wide"] and set(together["titles"].values()) == {"wide"}
    assert {row.name: row.measured.accuracy for row in report.rows} == {"lone": 0.4, "chain": 0.8, "wide": 1.0}
    assert {row.measured.count for row in report.rows} == {20}  # of both loads' answers
    assert {row.name: row.measured.p50 for row in report.rows} == pytest.approx(p50[1])  # the search's load
    text = as_text(report)
    assert "^F~ 4.44" in text and "*+^F 1.88" in text and "10 at load 1 (mean 1.0), 10 at load 8 (mean 7.5)" in text
    assert "| chain | 80.0" in as_markdown(report) and "| p50 s at load 1 |" in as_markdown(report)


def test_a_search_with_two_loads_reports_both_and_again_without_a_call(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = arguments(model, data, "--topologies", "1,8-vote", "--load", "1,8", "--report-problems", 3, "--trials", 2)
    assert command("search", *asked) == 0
    out, err = capsys.readouterr()
    assert "3 problems the search never saw at load 8" in err and "3 problems the search never saw at load 1" in err
    assert "p50 s at load 1" in out and "3 at load 1 (mean 1.0)" in out and "made at load 8" in out

    directory = tmp_path / "runs" / "s"
    front = json.loads((directory / "front.json").read_text())
    assert [at["load"] for at in front["loads"]] == [1, 8] and front["load"] == 8
    for at in front["loads"]:
        assert {row["name"] for row in at["rows"]} == {"long_cot", "majority"} >= set(at["front"])
        assert set(at["titles"]) == {"best", "near", "knee"} and all(row["p50"] > 0 for row in at["rows"])
    assert {row["report"]["count"] for row in front["rows"]} == {6}
    assert "## At several loads" in (directory / "report.md").read_text()
    assert "At several loads" in (directory / "report.html").read_text()
    assert (directory / "pareto_loads.html").stat().st_size > 10_000
    assert (directory / "pareto_loads.png").read_bytes().startswith(b"\x89PNG")

    calls = len(model.calls)
    assert command("search", *asked) == 0
    again = json.loads((directory / "front.json").read_text())
    assert len(model.calls) == calls and again["loads"][0]["in_flight"] is None
    assert [at["rows"] for at in again["loads"]] == [at["rows"] for at in front["loads"]]


@pytest.mark.slow
def test_a_server_that_is_slower_the_more_it_has_to_do_has_another_knee_at_another_load(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path
) -> None:
    model.answer = lambda call: busy(model, call, 0.03)
    assert command("search", *arguments(model, data, "--topologies", "1,1-1-1-1,8-vote", "--load", "1,8")) == 0
    front = json.loads((tmp_path / "runs" / "s" / "front.json").read_text())
    alone, together = front["loads"]
    # Eight drafts take eight turns where there is room for one, four refinements four; where there is room for eight
    # the drafts take one, and the refinements four as before.
    assert alone["front"] == ["long_cot", "sr", "majority"] and alone["titles"]["knee"] == "sr"
    assert together["front"] == ["long_cot", "majority"] and together["titles"]["knee"] == "majority"
    seconds = [{row["name"]: row["p50"] for row in at["rows"]} for at in front["loads"]]
    assert seconds[0]["long_cot"] < seconds[1]["long_cot"]  # a call alone is faster


def test_one_load_is_told_as_ever_and_no_answer_of_it_stands_in_for_another(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = arguments(model, data, "--topologies", "1", "--trials", 1)
    assert command("search", *asked, "--load", 8) == 0
    out, err = capsys.readouterr()
    assert "at load" not in out + err and "8 requests in flight" in out
    directory = tmp_path / "runs" / "s"
    assert json.loads((directory / "front.json").read_text())["loads"] == []
    assert not (directory / "pareto_loads.png").exists()
    assert len(model.calls) == 4 + 10

    assert command("search", *asked, "--load", "1,2,8") == 0  # the same study, for it was searched at 8
    assert len(model.calls) == 4 + 3 * 10
    assert len({json.dumps(call.body, sort_keys=True) for call in model.calls}) == len(model.calls)
    assert command("search", *asked, "--load", "1,2") == REFUSED
    assert "load was 8, now 2" in capsys.readouterr().err


def test_workflows_at_several_loads(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "w.yaml").write_text("name: four\nrounds:\n  - {width: 4}\nclose: vote\n", encoding="utf-8")
    asked = ("w.yaml", "--budget", "tokens=4k", "--endpoint", model.url, "--data", data, "--problems", 3)
    assert command("run", *asked, "--load", "1,4") == 0
    out = capsys.readouterr().out
    assert "p50 s at load 4" in out and "The search was" not in out and len(model.calls) == 2 * 12
    assert command("run", *asked, "--load", "4") == 0
    assert len(model.calls) == 2 * 12  # what was measured at this load is known
    assert command("run", *asked, "--load", "2") == 0
    assert len(model.calls) == 3 * 12  # and at no other


def test_a_dry_run_counts_every_load(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("search", *arguments(model, data, "--load", "1,8", "--report-problems", 20, "--dry-run")) == 0
    out = capsys.readouterr().out
    assert "x 16 runs at load 1 " in out and "x 20 runs at load 8 " in out and model.calls == []


def test_a_mistaken_load_costs_nothing(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("search", *arguments(model, data, "--load", "some")) == REFUSED
    assert "--load" in capsys.readouterr().err
    assert command("search", *arguments(model, data, "--load", "1,9000")) == REFUSED
    assert "load: 9000" in capsys.readouterr().err and model.calls == []
