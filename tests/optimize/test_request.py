"""Requests: one frozen value, made by a command line, by a YAML file or in Python, with the same meaning and errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes.vllm import Call, FakeVLLM, Reply
from search_support import Command, solve

import optimize
from optimize import RunRequest, SearchRequest, SearchResult
from optimize.command.options import request_of
from optimize.objectives.criteria import Objectives
from optimize.request.sizes import EMBEDDED, SERVED
from optimize.search import parser
from pdr_dspy.budget import Budget
from pdr_dspy.command.guarded import REFUSED
from pdr_dspy.errors import InputError
from pdr_dspy.workflow import Workflow, load_workflow

URL = "http://host:8000/v1"
WORDS = {
    "budget": "tokens=16k,total=400k",
    "endpoint": URL,
    "load": "1,8",
    "format": "plain,json",
    "objectives": "accuracy,latency,total_tokens",
    "timeout": "10m",
    "spend": "tokens=50m",
    "max_latency": "2m",
    "min_accuracy": "60%",
    "topologies": "1,8-1",
    "trials": "7",
    "seed": "3",
}
"""As people write them on a command line."""
VALUES = {
    "budget": Budget(tokens=16_000, total=400_000),
    "endpoint": (URL,),
    "load": (1, 8),
    "format": ("plain", "json"),
    "objectives": Objectives(costs=("latency", "total_tokens")),
    "timeout": 600.0,
    "spend": 50_000_000,
    "max_latency": 120.0,
    "min_accuracy": 0.6,
    "topologies": ("1", "8-1"),
    "trials": 7,
    "seed": 3,
}
"""What they mean."""


def asked(*words: str) -> SearchRequest:
    return request_of(SearchRequest, parser().parse_args(words))


def test_command_line_file_and_python_make_the_same_request(tmp_path: Path) -> None:
    words = [part for name, text in WORDS.items() for part in (f"--{name.replace('_', '-')}", text)]
    (file := tmp_path / "mine.yaml").write_text(
        "budget: tokens=16k,total=400k\nendpoint: [http://host:8000/v1]\nload: [1, 8]\nformat: [plain, json]\n"
        "objectives: [accuracy, latency, total_tokens]\ntimeout: 10m\nspend: tokens=50m\nmax-latency: 2m\n"
        "min_accuracy: 60%\ntopologies: ['1', 8-1]\ntrials: 7\nseed: 3\n"
    )
    made = asked(*words)
    assert made == asked("--config", str(file)) == SearchRequest(**WORDS) == SearchRequest(**VALUES)
    assert {name: getattr(made, name) for name in VALUES} == VALUES
    assert asked("--config", str(file), "--seed", "4") == SearchRequest(**{**VALUES, "seed": 4})


def test_what_is_not_said_is_the_usual() -> None:
    short = SearchRequest(budget=16_000)
    assert short == asked("--budget", "tokens=16k") and short.sizes == EMBEDDED and short.load == (32,)
    assert short.name == "tokens-16k_worksheets_embedded" and short.racing and short.proposals is None
    served = SearchRequest(budget=16_000, endpoint=URL, trials=3)
    assert served.sizes.trials == 3 and served.sizes.front == SERVED.front
    assert SearchRequest(budget={"tokens": 5, "seconds": 2.5}).budget == Budget(tokens=5, seconds=2.5)


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({}, "budget", "missing"),
        ({"budget": "tokens=16q"}, "budget.tokens", "not a number of tokens"),
        ({"trials": 0}, "trials", "too few. Give 1 or more"),
        ({"trials": "many"}, "trials", "can't be used"),
        ({"trails": 3}, "trails", "Did you mean trials?"),
        ({"wholly_new": 3}, "wholly_new", "no such option"),
        ({"load": "8,8"}, "load", "same load twice"),
        ({"load": [0]}, "load", "too few"),
        ({"format": "yaml"}, "format", "no format"),
        ({"thinking": "always"}, "thinking", "one of auto, server, continue, off"),
        ({"objectives": "accuracy"}, "objectives", "nothing to weigh"),
        ({"latency": "tokens", "load": "1,8"}, "load", "do not depend on the load"),
        ({"timeout": "soon"}, "timeout", "not a time"),
        ({"timeout": -1}, "timeout", "not a time"),
        ({"spend": "50m"}, "spend", "like tokens=50m"),
        ({"max_latency": "2x"}, "max_latency", "not a time"),
        ({"min_accuracy": 2}, "min_accuracy", "not from 0 to 1"),
        ({"model": "x"}, "model", "no --endpoint"),
        ({"propose": 99}, "propose", "from 0 to 16"),
        ({"proposer": URL}, "proposer", "nothing for it to propose"),
        ({"propose": 2}, "propose", "the embedded reasoner writes worksheets"),
        ({"study": "../x"}, "study", "not a name of a study"),
        ({"runs": 3}, "runs", "a directory"),
        ({"skip_empty": "perhaps"}, "skip_empty", "true or false"),
    ],
)
def test_a_wrong_value_names_its_field_however_it_is_given(
    given: dict[str, Any], field: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = {} if field == "budget" else {"budget": "tokens=16k"}
    with pytest.raises(InputError) as error:
        SearchRequest(**{**budget, **given})
    assert error.value.field == field and words in str(error.value)
    (file := tmp_path / "mine.yaml").write_text(json.dumps({**budget, **given}))
    with pytest.raises(InputError) as error:
        asked("--config", str(file))
    wanted = {field} if "." in field else {"--budget"} if not given else {f"{field} in {file}"}
    assert error.value.field in wanted and words in str(error.value)


def test_an_option_is_named_as_it_was_written() -> None:
    for words, name in (
        (("--max-latency", "x"), "--max-latency"),
        (("--report-problems", "0"), "--report-problems"),
        (("--model", "x"), "--model"),
    ):
        with pytest.raises(InputError) as error:
            asked("--budget", "tokens=16k", *words)
        assert error.value.field == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- budget", "holds no options"),
        ("budget: [", "not YAML"),
        ("a: 1\na: 2", "stands on line 1 already"),
        ("max-latency: 1\nmax_latency: 2", "stands twice"),
        ("", "holds no options"),
    ],
)
def test_a_file_of_options_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    (file := tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=r"mine\.yaml") as error:
        asked("--config", str(file))
    assert words in str(error.value)
    with pytest.raises(InputError, match="can't be read"):
        asked("--config", str(tmp_path / "other.yaml"))


def test_a_request_cannot_be_changed() -> None:
    request = SearchRequest(budget="tokens=16k")
    with pytest.raises(ValueError, match="frozen"):
        request.seed = 3


def test_a_search_and_a_run_in_python(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked_ = {"budget": "tokens=1k", "endpoint": model.url, "data": data, "latency": "tokens", "runs": tmp_path / "r"}
    request = SearchRequest(**asked_, problems=4, report_problems=4, front=2, trials=4, study="mine")
    planned = optimize.search(request.model_copy(update={"dry_run": True}))
    assert planned.ending == "planned" and not model.calls
    found = optimize.search(request)
    assert found.ending == "reported" and found.study == "mine" and found.directory == tmp_path / "r" / "mine"
    winner = found.workflow()
    assert found.report is not None and winner is not None
    assert winner == load_workflow(found.directory / "winner.yaml")
    run = optimize.measure(RunRequest(**asked_, workflow=winner, problems=4))
    assert run.report is not None and run.report.rows[0].measured.count == 4
    assert "accuracy [95 %]" in capsys.readouterr().out


def test_a_command_without_what_it_needs_is_refused_in_a_line(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("search") == REFUSED and "--budget: it is missing" in capsys.readouterr().err
    assert command("run", "--budget", "tokens=1k") == REFUSED and "workflow: " in capsys.readouterr().err


def test_the_module_of_the_command_is_the_function_too() -> None:
    from optimize import search as command

    assert command is sys.modules["optimize.search"] is optimize.search and callable(command.main)


def test_a_command_speaks_of_itself_as_it_was_called(
    command: Command, model: FakeVLLM, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("--problems", "4", "--report-problems", "4", "--front", "1", "--trials", "3", "--study", "s")
    words = ["--budget", "tokens=1k", "--endpoint", model.url, "--data", str(data), *small]
    monkeypatch.setattr(sys, "argv", ["pdr search", *words])
    assert optimize.search.main() == 0
    assert "  pdr run " in capsys.readouterr().out
    shown = parser().format_help()
    assert shown.startswith("usage: pdr search ") and "  pdr search --budget" in shown and "search.py" not in shown
    assert command("search", *words) == 0 and "  python optimize/run.py " in capsys.readouterr().out


def blocks(language: str) -> list[str]:
    page = (Path(__file__).parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_examples_of_the_page_about_the_search_run(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (options,) = blocks("yaml")
    (file := tmp_path / "mine.yaml").write_text(options)
    made = asked("--config", str(file), "--trials", "60")
    assert (made.trials, made.load, made.max_latency, len(made.endpoint)) == (60, (1, 8, 32), 20.0, 2)
    (example,) = blocks("python")
    small = "trials=4, problems=4, report_problems=4, front=1"
    for said, here in (
        ("http://localhost:8000/v1", model.url),
        ("mine.jsonl", str(data)),
        ("aime25", str(data)),
        ("trials=20", small),
        ("workflow=winner", "workflow=winner, problems=4"),
        ("tokens=16k", "tokens=1k"),
    ):
        assert said in example
        example = example.replace(said, here)
    found: dict[str, Any] = {}
    exec(example, found)
    assert found["found"].ending == "reported" and found["again"].report is not None and found["near"] is not None
    assert capsys.readouterr().out.count("accuracy [95 %]") == 2


@pytest.mark.parametrize("given", [VALUES, {"budget": 16_000}, {"budget": "tokens=1k", "endpoint": URL, "propose": 2}])
def test_a_request_survives_its_own_data(given: dict[str, Any]) -> None:
    request = SearchRequest(**given)
    assert SearchRequest(**request.model_dump()) == request
    assert SearchRequest.model_validate_json(request.model_dump_json()) == request
    assert request.model_copy(update={"trials": 9}) == SearchRequest(**{**given, "trials": 9})
    with pytest.raises(InputError, match="trials: 0 is too few"):
        request.model_copy(update={"trials": 0})


def test_what_yaml_reads_as_something_else_is_taken_as_it_was_meant(tmp_path: Path) -> None:
    (file := tmp_path / "mine.yaml").write_text("budget: 16000\ntopologies: [1, 8-1]\nstudy: 2024-01-01\nload: 8\n")
    made = asked("--config", str(file))
    assert (made.budget, made.topologies) == (Budget(tokens=16_000), ("1", "8-1"))
    assert (made.study, made.load) == ("2024-01-01", (8,))
    assert SearchRequest(budget=1000, topologies=8, study=15, endpoint=f"{URL},http://b/v1").endpoint == (
        *(URL, "http://b/v1"),
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"endpoint": 8000}, "endpoint"),
        ({"endpoint": {"a": "b"}}, "endpoint"),
        ({"endpoint": [1]}, "endpoint"),
        ({"trials": True}, "trials"),
        ({"budget": True}, "budget"),
        ({"seed": 10**40}, "seed"),
        ({"workflow": [{"rounds": []}]}, "rounds"),
    ],
)
def test_values_of_other_kinds_are_told(given: dict[str, Any], field: str) -> None:
    kind = RunRequest if "workflow" in given else SearchRequest
    with pytest.raises(InputError) as error:
        kind(**{"budget": 1000, **given})
    assert error.value.field == field


def test_what_is_no_request_is_told() -> None:
    for wrong in (None, "tokens=16k", RunRequest(budget=1000, workflow="pdr_small"), {1: 2}):
        with pytest.raises(InputError, match="is no SearchRequest"):
            optimize.search(wrong)
    with pytest.raises(InputError, match="is no RunRequest"):
        optimize.measure(SearchRequest(budget=1000))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="trials: 0"):
        optimize.search({"budget": 1000, "trials": 0})
    made = RunRequest(budget=1000, workflow={"rounds": [{"width": 1}]})
    assert isinstance(made.workflow[0], Workflow)


def test_what_a_search_found_is_a_line_and_knows_its_titles(tmp_path: Path) -> None:
    found = SearchResult("reported", "s", tmp_path, Budget(tokens=1000))
    assert found.workflow() is None and len(repr(found)) < 300
    with pytest.raises(InputError, match="Use one of best, near, knee"):
        found.workflow("winner")  # type: ignore[arg-type]


def test_a_program_whose_search_was_interrupted_goes_on_and_ends_as_it_would(
    model: FakeVLLM, data: Path, tmp_path: Path
) -> None:
    program = f"""
import atexit, os, signal, threading, time
from pathlib import Path
from pdr_dspy.command import signals
signals.PATIENCE = signals.AT_ONCE = 0.0
import optimize
from optimize.engine import setup
from search_support import Silent
setup.Tracking = Silent
atexit.register(lambda: Path("ended").write_text("in order"))
def press():
    while not Path("asked").exists():
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press, daemon=True).start()
found = optimize.search(dict(budget="tokens=1k", endpoint={model.url!r}, data={str(data)!r}, study="s", problems=4))
print(found.ending, found.budget)
"""
    (tmp_path / "program.py").write_text(program)

    def answer(call: Call) -> Reply:
        if call.number > 2:
            (tmp_path / "asked").touch()
        return solve(call, delay=0.5)

    model.answer = answer
    here = Path(__file__).parents[1]
    where = {**os.environ, "PYTHONPATH": os.pathsep.join((str(here.parent), str(here), str(here / "optimize")))}
    ran = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=where,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (ran.returncode, (tmp_path / "ended").read_text()) == (0, "in order"), ran.stderr
    assert ran.stdout.strip().endswith("interrupted tokens=1k") and "the same request goes on" in ran.stdout
