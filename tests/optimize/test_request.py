"""Requests: one frozen value, made by a command line, by a YAML file or in Python, with the same meaning and errors."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes.vllm import FakeVLLM
from search_support import Command

import optimize
from optimize import RunRequest, SearchRequest
from optimize.command.options import request_of
from optimize.objectives.criteria import Objectives
from optimize.request.sizes import EMBEDDED, SERVED
from optimize.search import parser
from pdr_dspy.budget import Budget
from pdr_dspy.command.guarded import REFUSED
from pdr_dspy.errors import InputError
from pdr_dspy.workflow import load_workflow

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
