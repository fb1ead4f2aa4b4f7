"""The command from the first check to the table, on the scripted model."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import stages
from fakes.vllm import Call, FakeVLLM, Reply
from search_support import Command, Silent, assert_nothing_paid_twice, solve

from optimize.engine import setup
from optimize.inputs.problems import Problems, as_begun, load_problems
from optimize.request.search import SearchRequest
from optimize.study.fingerprint import StoredStudy
from pdr_dspy.command.guarded import INTERRUPTED, REFUSED
from pdr_dspy.data import RULES, Problem, load_data, side_of, split
from pdr_dspy.data.__main__ import main
from pdr_dspy.workflow import load_workflow

SMALL = ("--budget", "tokens=4k", "--problems", "6", "--report-problems", "8", "--front", "2", "--study", "s")


def arguments(model: FakeVLLM, data: Path, *more: object) -> tuple[object, ...]:
    return (*SMALL, "--endpoint", model.url, "--data", data, *more)


def test_a_search_ends_with_a_table_and_a_winner_that_runs(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("search", *arguments(model, data, "--trials", 6)) == 0
    out, err = capsys.readouterr()
    for word in (
        "long_cot",
        "sr",
        "majority",
        "accuracy [95 %]",
        "p95 s",
        "B_total",
        "8 problems",
        "chosen on 6 others",
    ):
        assert word in out
    assert "mlflow ui" in out and "optimize/run.py runs/s/winner.yaml" in out
    assert "search 6/6" in err and "report " in err

    directory = tmp_path / "runs" / "s"
    front = json.loads((directory / "front.json").read_text())
    assert sum(row["winner"] for row in front["rows"]) == 1
    assert {row["name"] for row in front["rows"] if row["baseline"]} == {"long_cot", "sr", "majority"}
    best = max((r for r in front["rows"] if r["search_front"]), key=lambda r: r["search"]["accuracy"])
    assert best["winner"]
    assert {r["report"]["count"] for r in front["rows"]} == {8}
    assert (directory / "pareto.html").stat().st_size > 10_000 and (directory / "pareto.png").stat().st_size > 1000
    for name in ("winner.yaml", "near.yaml", "knee.yaml"):
        load_workflow(directory / name)
    tracker = Silent.last
    assert tracker is not None and len(tracker.runs) == 6 and tracker.closed[0][0] == "FINISHED"

    assert command("run", "runs/s/winner.yaml", "--budget", "tokens=4k", "--endpoint", model.url, "--data", data) == 0
    assert "accuracy [95 %]" in capsys.readouterr().out


@pytest.mark.slow
def test_what_is_surely_dominated_is_given_up_and_is_on_no_front(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def spoilt(call: Call) -> Reply:
        """Right at once, wrong (and longer) wherever it refines."""
        reply = solve(call)
        refined = stages.stage_of(call) != "draft"
        wanted = "0" if refined else stages.field(call, "problem").split()[-1]
        return (
            reply if stages.stage_of(call) not in ("draft", "refine") else stages_reply(wanted, 0.02 if refined else 0)
        )

    model.answer = spoilt
    topologies = ("--topologies", "1,1-1-1-1,4-1,8-1,4-vote,8-vote")
    sizes = ("--problems", 16, "--trials", 9, "--jobs", 1, "--latency", "tokens", *topologies)
    assert command("search", *arguments(model, data, *sizes)) == 0
    out, err = capsys.readouterr()
    assert Silent.last is not None
    raced = [run["measured"] for run in Silent.last.runs if run["measured"].given_up]
    assert raced and all(m.count == 8 and m.accuracy == 0 for m in raced)
    assert not any(run["baseline"] for run in Silent.last.runs if run["measured"].given_up)
    assert "given up: dominated by t" in err and f"{len(raced)} given up before their last problem" in out
    rows = json.loads((tmp_path / "runs" / "s" / "front.json").read_text())["rows"]
    assert all(row["search"]["count"] == 16 for row in rows if row["search_front"])

    raced_calls = len(model.calls)
    assert command("search", *arguments(model, data, *sizes, "--no-racing", "--study", "whole")) == 0
    assert Silent.last is not None and {run["measured"].count for run in Silent.last.runs} == {16}
    assert len(model.calls) - raced_calls > raced_calls


def stages_reply(answer: str, delay: float) -> Reply:
    return Reply(text=stages.fields(solution="words", answer=answer), delay=delay)


def test_the_report_uses_problems_and_samples_the_search_never_saw(
    command: Command, model: FakeVLLM, data: Path
) -> None:
    seen: dict[str, list[int]] = {}

    def answer(call: Call) -> Reply:
        seen.setdefault(call.messages[-1]["content"].split("say ")[1].split("\n")[0], []).append(call.number)
        return solve(call)

    model.answer = answer
    assert command("search", *arguments(model, data, "--trials", 4, "--jobs", 1)) == 0
    assert len(seen) == 6 + 8  # not one problem on both sides


def test_a_finished_study_is_told_again_without_a_call(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("search", *arguments(model, data, "--trials", 4)) == 0
    before, told = len(model.calls), capsys.readouterr().out
    assert command("search", *arguments(model, data, "--trials", 4)) == 0
    assert len(model.calls) == before
    again = capsys.readouterr().out
    assert "all replayed" in again
    accuracies = [line.split()[:4] for line in told.splitlines() if "[" in line and "." in line]
    assert [line.split()[:4] for line in again.splitlines() if "[" in line and "." in line] == accuracies


def test_more_trials_go_on_where_it_stopped(command: Command, model: FakeVLLM, data: Path) -> None:
    assert command("search", *arguments(model, data, "--trials", 3)) == 0
    assert command("search", *arguments(model, data, "--trials", 5)) == 0
    assert Silent.last is not None and len(Silent.last.runs) == 2
    assert_nothing_paid_twice(model)


def test_a_study_goes_on_with_the_rule_that_cut_its_problems_and_its_grader(
    command: Command, model: FakeVLLM, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = SearchRequest.fingerprint

    def read(request: Any, sizes: Any, _: Any, **__: Any) -> Problems:
        return as_begun(request, sizes, load_problems(request, sizes), StoredStudy(1, "math"))

    def unnamed(
        request: SearchRequest, **given: Any
    ) -> dict[str, Any]:  # before a grader was guessed, none was written down
        made = written(request, **given)
        return {**made, "data": {name: kept for name, kept in made["data"].items() if name != "grader"}}

    with monkeypatch.context() as older:
        older.setattr(setup, "load_problems", read)
        older.setattr(SearchRequest, "fingerprint", unnamed)
        assert command("search", *arguments(model, data, "--trials", 3)) == 0
    before = len(model.calls)
    capsys.readouterr()
    for _ in range(2):  # the second time the study names its grader
        assert command("search", *arguments(model, data, "--trials", 3)) == 0
        out, err = capsys.readouterr()
        assert len(model.calls) == before and "all replayed" in out
        assert "grader integer" in err and "grader math, with which the study was begun" in err
    whole = load_data(str(data))
    cuts = [split(whole, rule=rule) for rule in RULES]
    sides = [f"{len(search)} for a search, {len(rest)} for its report" for search, rest in cuts]
    assert len(set(sides)) > 1 and command("search", *arguments(model, data, "--dry-run")) == 0
    out, err = capsys.readouterr()
    assert sides[0] in out and "grader math, with which the study was begun" in err
    assert command("search", *arguments(model, data, "--dry-run", "--study", "new")) == 0
    assert sides[-1] in capsys.readouterr().out
    assert command("search", *arguments(model, data, "--trials", 3, "--grader", "integer")) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "data.grader was math, now integer" in told and "the grader is another one" in told


def test_a_dry_run_sends_nothing(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("search", *arguments(model, data, "--dry-run")) == 0
    out = capsys.readouterr().out
    for word in ("topology", "kappa", "16-8-4-1", "long_cot", "calls, at most", "nothing was generated", "say "):
        assert word in out
    assert model.calls == [] and not (tmp_path / "runs").exists()


def test_a_dry_run_without_its_endpoint_shows_the_problems_all_the_same(
    command: Command, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("search", *SMALL, "--endpoint", "http://127.0.0.1:9/v1", "--data", data, "--dry-run") == REFUSED
    out, err = capsys.readouterr()
    assert main([str(data)]) == 0
    assert out == capsys.readouterr().out and "say 3" in out
    assert err.splitlines()[-1].startswith("error: ") and "unreachable" in err


def test_a_study_whose_problems_only_its_own_rule_can_cut_goes_on(
    command: Command, model: FakeVLLM, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    sides = {rule: [side_of(Problem(row["answer"], {"problem": row["problem"]}), rule=rule) for row in rows]
             for rule in (1, 3)}  # fmt: skip
    alone = [row for row, first, today in zip(rows, sides[1], sides[3], strict=True) if today == "search"]
    assert {first for first, today in zip(sides[1], sides[3], strict=True) if today == "search"} == {"search", "report"}
    data.write_text("".join(f"{json.dumps(row)}\n" for row in alone), encoding="utf-8")
    given = arguments(model, data, "--trials", 3, "--grader", "math")
    assert command("search", *given) == REFUSED  # nobody began it under another rule
    assert "on the report side" in capsys.readouterr().err
    begun = partial(StoredStudy, 1, "math")
    with monkeypatch.context() as older:
        older.setattr(setup, "load_problems", lambda r, s, _, **__: load_problems(r, s, begun))
        assert command("search", *given) == 0
    before = len(model.calls)
    assert command("search", *given, "--dry-run") == 0
    counts = [[first for first, today in zip(sides[1], sides[3], strict=True) if today == "search"].count(side)
              for side in ("search", "report")]  # fmt: skip
    assert f"{counts[0]} for a search, {counts[1]} for its report" in capsys.readouterr().out
    assert command("search", *given) == 0 and len(model.calls) == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_ctrl_c_keeps_the_state_and_the_same_command_goes_on(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    model.answer = lambda call: solve(call, delay=0.2)
    pressed = []

    def press() -> None:
        model.wait(lambda m: m.succeeded >= 20, 600)  # a busy machine imports for long
        pressed.append(time.time())
        os.kill(os.getpid(), getattr(signal, name))

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored
    thread = threading.Thread(target=press)
    thread.start()
    try:
        assert command("search", *arguments(model, data, "--trials", 5)) == INTERRUPTED
    finally:
        thread.join()
        signal.signal(signal.SIGHUP, before)
    out, err = capsys.readouterr()
    assert "the same command goes on" in out and "Traceback" not in err
    assert Silent.last is not None and Silent.last.closed[0][0] == "KILLED"
    model.wait(lambda m: m.in_flight == 0)
    assert command("search", *arguments(model, data, "--trials", 5)) == 0
    assert "trials so far" in capsys.readouterr().err
    assert_nothing_paid_twice(model, pressed[0])


def test_the_timeout_ends_the_search_and_the_report_still_runs(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.answer = lambda call: solve(call, delay=0.1)
    began = time.monotonic()
    assert command("search", *arguments(model, data, "--trials", 500, "--timeout", "2s")) == 0
    assert time.monotonic() - began < 60
    out, err = capsys.readouterr()
    assert "time is over" in err and "(timeout)" in out and "accuracy [95 %]" in out


def test_a_dead_endpoint_stops_the_search_and_keeps_it(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(call: Call) -> Reply:
        return solve(call) if call.number < 30 else Reply(status=404, message="gone")

    model.answer = answer
    assert command("search", *arguments(model, data, "--trials", 8)) == 2
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith("error: ") and "Traceback" not in err
    model.answer = solve
    assert command("search", *arguments(model, data, "--trials", 4)) == 0


def test_a_study_of_something_else_is_refused(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("search", *arguments(model, data, "--trials", 3)) == 0
    before = len(model.calls)
    assert command("search", *arguments(model, data, "--trials", 3, "--load", 8, "--topologies", "1,4-1")) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "load was 32, now 8" in told and "space.topology" in told and "--study" in told
    assert len(model.calls) == before
    for changed, named in (
        (("--signature", "problem -> answer: int"), "data.signature"),
        (("--instruction", "Answer in Roman numerals."), "data.instruction"),
        (("--grader", "exact"), "data.contents"),
    ):
        assert command("search", *arguments(model, data, "--trials", 3, *changed)) == 2
        assert named in capsys.readouterr().err.splitlines()[-1]
    assert len(model.calls) == before
