"""Benchmarks by name: on the Hub, in a file of one's own, and nowhere."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pdr_dspy.data import GRADERS, load_data
from pdr_dspy.data.gym import LEFT_OUT
from pdr_dspy.data.known import KNOWN
from pdr_dspy.data_options import DATA
from pdr_dspy.errors import DataError

NAMES = ["aime24", "aime25", "aime26", "math500", "amc23", "hmmt25", "gsm8k", "minerva", "olympiad", "gpqa"]

HUB_ROWS: dict[str, dict[str, Any]] = {
    "amc23": {"id": 0, "question": "?", "answer": 27.0, "url": ""},
    "hmmt25": {"problem_idx": 1, "problem": "?", "answer": "\\frac{1}{576}", "problem_type": ["Number Theory"]},
    "aime26": {"problem_idx": 1, "problem": "?", "answer": 277},
    "gsm8k": {"question": "?", "answer": "16 - 3 - 4 = <<16-3-4=9>>9.\n#### 9"},
    "minerva": {"question": "?", "answer": "4.5e33"},
    "olympiad": {"id": 1606, "question": "?", "final_answer": ["2"], "is_multiple_answer": False},
    "gpqa": {
        "Record ID": "rec1", "Question": "Which?", "Correct Answer": "this\n", "Incorrect Answer 1": "a",
        "Incorrect Answer 2": "b", "Incorrect Answer 3": "c",
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PDR_DATA_DIR", raising=False)
    monkeypatch.setitem(sys.modules, "datasets", None)


def test_the_names_there_are() -> None:
    assert list(KNOWN) == NAMES
    assert all(name in DATA for name in NAMES)
    assert all(known.licence and known.title for known in KNOWN.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_as_the_hub_has_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KNOWN[name].grader in GRADERS
    row = HUB_ROWS.get(name, {"problem": "?", "answer": "70"})
    asked: list[Any] = []

    def load(*place: Any, split: str) -> list[dict[str, Any]]:
        asked.append((*place, split))
        return [row]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load))
    data = load_data(name)
    (problem,) = data.problems
    assert asked == [(KNOWN[name].hub.repo, KNOWN[name].hub.config, KNOWN[name].hub.split)]
    assert list(problem.inputs) == ["problem"] == list(data.signature.input_fields)
    assert problem.answer == {"gsm8k": "9", "olympiad": "2", "amc23": "27.0"}.get(name, problem.answer)
    if name == "gpqa":
        assert problem.options["ABCD".index(str(problem.answer))] == "this"
        assert {*problem.options} == {"this", "a", "b", "c"}
    assert data.grader.name.startswith(KNOWN[name].grader)


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_that_is_nowhere_says_what_to_do(name: str) -> None:
    with pytest.raises(DataError) as error:
        load_data(name)
    for words in (f"{name}.jsonl", "PDR_DATA_DIR", str(KNOWN[name].hub), "pip install 'pdr-dspy[hf]'"):
        assert words in str(error.value)
    assert ("gated" in str(error.value)) == (name == "gpqa")


@pytest.mark.skipif("choice" not in GRADERS, reason="there is no such grader yet")
def test_a_file_of_ones_own_goes_first_in_any_format(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "gsm8k.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["question", "answer"], ["?", "so\n#### 5"]])
    data = load_data("gsm8k")
    assert (data.problems[0].inputs, data.problems[0].answer) == ({"problem": "?"}, "5")
    assert any("gsm8k.csv" in note for note in data.notes)
    rows = [{"problem": "Which?", "options": ["x", "y"], "answer": "B"}]
    (tmp_path / "data" / "gpqa.json").write_text(json.dumps(rows))
    assert load_data("gpqa").problems[0].options == ("x", "y")


def test_a_gated_data_set_says_how_to_get_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise RuntimeError("Dataset 'Idavidrein/gpqa' is a gated dataset on the Hub.")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load))
    for spec in ("gpqa", "hf:Idavidrein/gpqa:gpqa_diamond:train"):
        with pytest.raises(DataError, match=r"huggingface\.co/datasets/Idavidrein/gpqa.*hf auth login"):
            load_data(spec, **({"inputs": "Question"} if spec.startswith("hf") else {}))


def test_the_page_has_every_one_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for known in KNOWN.values():
        row = f"| `{known.name}` | {known.title} | `{known.hub}` | {known.licence} | `{known.grader}` |"
        assert row in page
    assert all(f"`{name}`" in page for name in LEFT_OUT)
