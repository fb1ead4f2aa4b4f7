"""Where nothing was right that is said in words, and nobody is named a winner."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import stages
from fakes.vllm import Call, FakeVLLM, Reply
from search_support import Command, Silent, measured, problems, solve

from optimize.engine.entries import earned
from optimize.objectives.measurement import Measurement
from optimize.reporting.diagnosis import diagnosis, remarks
from optimize.reporting.report import Row

SMALL = ("--budget", "tokens=2k", "--problems", "4", "--report-problems", "4", "--study", "s", "--trials", "2")
WINNERS = ("winner.yaml", "near.yaml", "knee.yaml")
REFUSAL = "I'm sorry, but I can't help with that."


def kept(measurement: Measurement, failures: dict[str, int], quote: str = "") -> Measurement:
    """A measurement of ten problems of which none was right."""
    return replace(measurement, accuracy=0.0, failures=failures, quote=quote)


def test_a_search_in_which_nothing_parsed_has_no_winner_and_says_so(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.answer = lambda call: REFUSAL
    assert command("search", *SMALL, "--endpoint", model.url, "--data", data) == 0
    out, err = capsys.readouterr()
    (told,) = [line for line in out.splitlines() if line.startswith("no winner: ")]
    assert "nothing was right: none of 20 runs of problems gave a usable answer (unparseable 20)" in told
    assert f"One text: {REFUSAL!r}" in told and "--format json" in told and "winner:" not in out.replace(told, "")
    assert err.count("nothing was right") == 1  # said once while it could still be stopped
    directory = tmp_path / "runs" / "s"
    assert not any((directory / name).exists() for name in WINNERS)
    front = json.loads((directory / "front.json").read_text())
    assert not any(row["winner"] or row["report_front"] or row["titles"] for row in front["rows"])
    page = (directory / "report.html").read_text(encoding="utf-8")
    assert "No winner: nothing was right" in page and "What went wrong" in page and "draft: unparseable" in page
    assert page.count(html.escape(REFUSAL)) >= 20  # of every problem what was written
    rows = [row for run in Silent.last.runs for row in run["measured"].evaluation.rows()] if Silent.last else []
    assert len(rows) == 8 and all(REFUSAL in row["failed_calls"] for row in rows)
    status, ended = Silent.last.closed[0] if Silent.last else ("", {})
    assert status == "FINISHED" and "No winner" in ended["summary"]
    assert not any(name.startswith("winner") for name in ended["metrics"])
    assert not set(WINNERS) & set(ended["artifacts"])


def test_answers_that_are_all_wrong_are_no_winners_either(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.answer = lambda call: "[[ ## answer ## ]]\nnine hundred"
    assert command("search", *SMALL, "--endpoint", model.url, "--data", data) == 0
    out = capsys.readouterr().out
    assert "no winner: nothing was right: all 20 answers are wrong" in out
    assert "One text: 'answer: nine hundred'" in out and "--data" in out
    assert not (tmp_path / "runs" / "s" / "winner.yaml").exists()


def test_a_run_of_one_problem_without_an_answer(
    command: Command, model: FakeVLLM, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.jsonl").write_text(problems(12), encoding="utf-8")
    (tmp_path / "w.yaml").write_text("name: x\nrounds:\n  - {width: 1}\n", encoding="utf-8")
    model.answer = lambda call: Reply(text="")
    where = ("--budget", "tokens=2k", "--endpoint", model.url, "--data", tmp_path / "one.jsonl", "--problems", "1")
    assert command("run", "w.yaml", *where) == 0
    out = capsys.readouterr().out
    assert "the one run of a problem gave no usable answer (empty 1). Nothing was written." in out
    assert "--budget" in out and "F:" not in out


def test_a_model_without_a_card_is_searched_in_plain_and_json_and_what_was_read_leniently_is_told(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.card = {}
    model.answer = lambda call: f"The answer is {call.messages[-1]['content'].split('say ')[1].split()[0]}."
    assert command("search", *SMALL, "--endpoint", model.url, "--data", data, "--dry-run") == 0
    assert "plain, json" in capsys.readouterr().out
    assert command("search", *SMALL, "--endpoint", model.url, "--data", data, "--topologies", "1,4-vote") == 0
    out = capsys.readouterr().out
    head, _, row, *_ = out.strip().splitlines()
    assert "lenient" in head and "100 %" in row and "fallback" not in head and "asked in the format plain" in out
    assert "winner: " in out
    assert [message["role"] for message in model.calls[0].messages] == ["user"]
    assert model.calls[0].prompt.endswith("as `Answer: ...`.")


def test_what_fell_back_is_counted_in_the_table_and_told_on_the_page(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def without_helpers(call: Call) -> Reply:
        return Reply(text="") if stages.stage_of(call) == "distill" else solve(call)

    (tmp_path / "w.yaml").write_text(
        "name: x\nrounds:\n  - {width: 3, distill: {kind: summary, tokens: 64}}\n  - {width: 1}\n", encoding="utf-8"
    )
    model.answer = without_helpers
    where = ("--endpoint", model.url, "--data", data)
    assert command("run", "w.yaml", "--budget", "tokens=2k", *where, "--problems", "4") == 0
    out, err = capsys.readouterr()
    head, _, row, *_ = out.strip().splitlines()
    assert head.split()[-2:] == ["fallback", "failed"] and row.split()[-3:] == ["100", "%", "0"]
    assert "fallbacks 100 %" in err and "fallback: share of problems" in out


def test_the_format_that_is_asked_for_is_sent(
    command: Command, model: FakeVLLM, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.card = {}
    (tmp_path / "w.yaml").write_text("name: x\nrounds:\n  - {width: 1}\n", encoding="utf-8")
    model.answer = solve
    where = ("--budget", "tokens=2k", "--endpoint", model.url, "--data", data, "--problems", "2")
    assert command("run", "w.yaml", *where, "--format", "markers") == 0
    assert "[[ ## answer ## ]]" in model.calls[0].prompt and "1, T default, markers" in capsys.readouterr().out


def test_a_study_keeps_to_its_formats(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("search", *SMALL, "--endpoint", model.url, "--data", data)
    assert command(*where) == 0
    before = len(model.calls)
    assert command(*where, "--format", "plain") == 2
    assert "space.format was" in capsys.readouterr().err and len(model.calls) == before


def test_titles_are_lost_with_the_last_right_answer() -> None:
    rows = [
        Row("t1", "1", "name: a\n", measured(0.0, 1.0), measured(0.1, 1.0), member=True, titles=("best",)),
        Row("t2", "1", "name: b\n", measured(0.5, 1.0), measured(0.1, 1.0), member=True, titles=("near", "knee")),
    ]
    assert [row.titles for row in earned(rows)] == [(), ("near", "knee")]


@pytest.mark.parametrize(
    ("failures", "words"),
    [
        ({"unparseable": 9, "empty": 1}, ["unparseable 9, empty 1", "--format json"]),
        ({"truncated": 10}, ["--budget", "--thinking"]),
        ({"empty": 10}, ["--budget", "--thinking"]),
        ({"timeout": 10}, ["seconds="]),
        ({"server": 10}, ["look at the server"]),
        ({"RuntimeError": 10}, ["RuntimeError 10", "look at the server"]),
        ({"truncated": 4}, ["all 6 answers are wrong; without an answer: truncated 4", "--data"]),
        ({"truncated": 9}, ["one answer was read and is wrong"]),
        ({}, ["all 10 answers are wrong", "--data"]),
    ],
)
def test_a_diagnosis_names_what_happened_and_the_mend(failures: dict[str, int], words: list[str]) -> None:
    text = diagnosis([kept(measured(0.0, 1.0), failures, "I think")], ["plain"])
    assert all(word in text for word in [*words, "nothing was right", "One text: 'I think'"]), text


def test_nothing_is_said_where_something_was_right_but_of_a_workflow_without_an_answer() -> None:
    good, lost = measured(0.5, 1.0), kept(measured(0.0, 1.0), {"unparseable": 10})
    assert diagnosis([]) == diagnosis([good, lost]) == "" and remarks([("a", good)]) == []
    (told,) = remarks([("a", good), ("b", lost)])
    assert told.startswith("b: nothing was right: none of 10 runs")


@pytest.mark.parametrize("tried", [[], ["json"], ["json", "plain", "markers"], ["json", "plain", "markers", "xml"]])
def test_another_format_is_one_that_was_not_tried(tried: list[str]) -> None:
    text = diagnosis([kept(measured(0.0, 1.0), {"unparseable": 10})], tried)
    named = text.split("--format ")[1].split(")")[0]
    assert named not in tried or len(tried) == 4


def test_what_a_grader_raised_is_told_where_nothing_was_right_and_where_something_was() -> None:
    trouble = {"failure": "grader", "detail": "mine:boom raised RuntimeError: boom"}
    lost = replace(kept(measured(0.0, 1.0), {"grader": 10}), troubles=[trouble])
    half = replace(measured(0.5, 1.0), failures={"grader": 2}, troubles=[{**trouble, "failure": ""}, trouble])
    said = "The first: mine:boom raised RuntimeError: boom."
    assert said in diagnosis([lost]) and "--grader" in diagnosis([lost])
    assert said in diagnosis([replace(lost, failures={"grader": 3})])
    assert remarks([("a", half)]) == [f"a: 2 of 10 answers could not be graded, and count as wrong. {said}"]
    other = replace(lost, failures={"OSError": 10}, troubles=[{"failure": "OSError", "detail": "no such file"}])
    assert "The first: no such file." in diagnosis([other])
