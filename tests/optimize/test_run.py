"""`run.py`: workflows measured with the search's table, and a run that was interrupted goes on."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.stages import stage_of
from fakes.vllm import Call, FakeVLLM, Reply, unavailable
from search_support import Command, assert_nothing_paid_twice, solve

from optimize.inputs import model as inputs
from pdr_dspy.command.guarded import INTERRUPTED, REFUSED
from pdr_dspy.data.__main__ import main
from pdr_dspy.endpoint import EndpointSettings

PROGRAMS = Path(__file__).parents[2] / "programs"
WORKFLOWS = (PROGRAMS / "pdr_small.yaml", PROGRAMS / "long_cot.yaml")


def arguments(model: FakeVLLM, data: Path) -> tuple[object, ...]:
    return (*WORKFLOWS, "--budget", "tokens=4k", "--endpoint", model.url, "--data", data, "--problems", "8")


def test_an_interrupted_run_goes_on_and_pays_only_for_what_was_in_flight(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.answer = lambda call: solve(call, delay=0.1)
    pressed = []

    def press() -> None:
        model.wait(lambda m: m.succeeded >= 20, 600)  # a busy machine imports for long
        pressed.append(time.time())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    assert command("run", *arguments(model, data)) == INTERRUPTED
    thread.join()
    out, err = capsys.readouterr()
    assert "the same command goes on" in err and "accuracy [95 %]" not in out and "Traceback" not in err
    model.wait(lambda m: m.in_flight == 0)
    paid = model.succeeded
    assert command("run", *arguments(model, data)) == 0
    assert_nothing_paid_twice(model, pressed[0])
    told = capsys.readouterr().out

    fresh = model.succeeded
    assert fresh > paid
    assert command("run", *arguments(model, data)) == 0  # and a third time it costs nothing
    again = capsys.readouterr().out
    assert model.succeeded == fresh and "all replayed" in again
    assert [accuracy(line) for line in again.splitlines()] == [accuracy(line) for line in told.splitlines()]


def accuracy(line: str) -> str:
    """A table line's accuracy with its interval; "" for another line."""
    return " ".join(line.split("[")[0].split()[-1:] + line.split("[")[1:]).split("]")[0] if "[" in line else ""


def test_its_table_is_the_searchs(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("run", *arguments(model, data)) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    small = ("--problems", 4, "--report-problems", 4, "--front", 1, "--trials", 3, "--study", "s")
    assert command("search", "--budget", "tokens=4k", "--endpoint", model.url, "--data", data, *small) == 0
    searched = capsys.readouterr().out.strip().splitlines()
    assert lines[0].split() == searched[0].split() and set(lines[1]) == {"-"}
    assert {line.split("[")[0].split()[-2] for line in lines[2:4]} == {"pdr_small", "long_cot"}
    for words in ("F: on this table's Pareto front", "Failures count as wrong", "fresh/old"):
        assert any(words in line for line in lines) and any(words in line for line in searched)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again at once."""

    def settings(options: Any, urls: tuple[str, ...], name: str | None) -> EndpointSettings:
        return EndpointSettings(urls, name, load=options.most_in_flight, backoff=0.001, retries=1)

    monkeypatch.setattr(inputs, "_settings", settings)


def small(model: FakeVLLM, data: Path) -> tuple[object, ...]:
    return ("run", WORKFLOWS[0], *arguments(model, data)[len(WORKFLOWS) :])


def test_a_server_that_fails_every_summary_is_measured_by_what_the_run_falls_back_to(
    command: Command, model: FakeVLLM, data: Path, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(call: Call) -> Reply:
        return unavailable(500) if stage_of(call) == "distill" else solve(call)

    model.answer = answer
    assert command(*small(model, data)) == 0
    head, _, row, *_ = capsys.readouterr().out.strip("\n").splitlines()
    assert "accuracy [95 %]" in head and accuracy(row) and "pdr_small" in row
    assert row[: head.index("fallback") + len("fallback")].endswith("100 %")
    assert any(stage_of(call) == "refine" for call in model.calls)


def test_a_server_that_fails_every_draft_is_not_measured(
    command: Command, model: FakeVLLM, data: Path, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    model.answer = unavailable(500)
    assert command(*small(model, data)) == REFUSED
    told = capsys.readouterr()
    assert "8 of 8 problems failed 4 times" in told.err and "accuracy [95 %]" not in told.out


def test_a_dry_run_shows_the_problems_and_sends_nothing(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("run", *arguments(model, data), "--dry-run") == 0
    out, err = capsys.readouterr()
    assert main([str(data)]) == 0
    assert out.startswith(capsys.readouterr().out)
    for words in ("40 problems", "for a search", "say 3", "reference answer: 3", "2 workflows on 8 problems"):
        assert words in out
    assert out.count("--- problem") == 3 and "grader integer: all 40 references are integers" in out and not err
    assert model.calls == [] and not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["run", "search"])
def test_a_terminal_without_the_problems_characters_shows_escapes(
    name: str, command: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = data.read_text().replace("say", "dis é∑").splitlines(keepends=True)
    data.write_text("".join(lines), encoding="utf-8")
    workflows = WORKFLOWS if name == "run" else ()
    shown = io.BytesIO()
    with monkeypatch.context() as terminal:
        terminal.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
        assert command(name, *workflows, "--budget", "tokens=4k", "--data", data, "--dry-run") == 0
        sys.stdout.flush()
        text = shown.getvalue()
    assert b"dis \\xe9\\u2211 3" in text


def test_a_dry_run_makes_no_database(command: Command, data: Path, tmp_path: Path) -> None:
    place = tmp_path / "studies.db"
    given = ("--budget", "tokens=4k", "--data", data, "--dry-run", "--storage", f"sqlite:///{place}")
    assert command("search", *given) == 0
    assert not place.exists()
    place.touch()
    assert command("search", *given) == 0
    assert place.stat().st_size == 0
