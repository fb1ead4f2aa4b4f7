"""Loading by spec, and every way a file or a spec can be wrong."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dspy
import pytest

from pdr_dspy.data import load_data
from pdr_dspy.errors import DataError, MissingExtra

DATA = Path(os.environ.get("PDR_DATA_DIR", ""))


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PDR_DATA_DIR", raising=False)


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def hub(monkeypatch: pytest.MonkeyPatch, load: Any) -> None:
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load))


def test_jsonl(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"id": 7, "q": "1+1?", "n": 3, "a": 2, "level": "easy"},
        "",
        {"q": "x", "n": [1], "a": "y"},
    )
    data = load_data(str(path), inputs="q, n", answer="a")
    first, second = data.problems
    assert (first.id, first.inputs, first.answer) == ("7", {"q": "1+1?", "n": "3"}, "2")
    assert first.extra == {"level": "easy"}
    assert (second.id, second.inputs["n"]) == ("2", "[1]")
    assert list(data.signature.input_fields) == ["q", "n"] and list(data.signature.output_fields) == ["a"]
    assert data.grader.name == "math"


def test_line_separators_inside_strings_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('\ufeff{"problem": "a\u2028b", "answer": "c"}\r\n'.encode())
    assert load_data(str(path)).problems[0].inputs["problem"] == "a\u2028b"


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{"question": "?", "answer": "1"}], {}, r"line 1: there is no column 'problem'\. .*question, answer"),
        ([{"problem": "?", "label": "1"}], {}, r"answer: .*no column 'answer'\. .*problem, label"),
        ([{"problem": "?", "answer": "1"}, "{oops"], {}, "line 2 does not parse"),
        ([{"problem": "?", "answer": "1"}, "[1]"], {}, "line 2 is a list"),
        ([{"problem": "?", "answer": None}], {}, "column 'answer' is null"),
        ([{"id": 1, "problem": "?", "answer": "1"}] * 2, {}, "id '1' at line 1 and at line 2"),
        ([], {}, "has no rows"),
        ([{"problem": "?", "answer": "1"}], {"inputs": "problem,answer"}, "named twice"),
        ([{"problem": "?", "answer": "1"}], {"inputs": "pro blem"}, "no column 'pro blem'"),
        ([{"problem": "?", "answer": "1"}], {"grader": "fuzzy"}, "there is no grader 'fuzzy'"),
        ([{"problem": "?", "answer": "1"}], {"limit": 0}, "limit"),
    ],
)
def test_a_file_that_can_not_be_used_says_why(
    tmp_path: Path, rows: list[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_data(str(write(tmp_path / "a.jsonl", *rows)), **options)


def test_files_that_are_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*b\.jsonl"):
        load_data("b.jsonl")
    with pytest.raises(DataError, match="no files with problems"):
        load_data(str(tmp_path))
    (tmp_path / "c.jsonl").write_bytes(b'{"problem": "\xff"}')
    with pytest.raises(DataError, match="not UTF-8"):
        load_data("c.jsonl")


@pytest.mark.parametrize("spec", ["aime27", "", "aime24:x", "worksheet"])
def test_unknown_specs_list_the_known_ones(spec: str) -> None:
    with pytest.raises(DataError, match=r"worksheets.*aime24.*hf:" if spec else "data"):
        load_data(spec)


def test_limit_and_an_own_signature(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", *({"problem": str(i), "answer": str(i)} for i in range(5)))
    signature = dspy.Signature("problem -> thought, result: int")
    data = load_data("a.jsonl", limit=3, signature=signature)
    assert len(data) == 3 and data.grader.field == "result"  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="its inputs hint"):
        load_data("a.jsonl", signature=dspy.Signature("problem, hint -> answer"))


def test_worksheets() -> None:
    data = load_data("worksheets:lines=2,count=5,seed=3")
    assert len(data) == 5 and data.problems[0].inputs["problem"].count("\n") == 1
    assert [p.extra["split"] for p in data.problems] == ["search", "report", "search", "report", "search"]
    assert {p.extra["split"] for p in load_data("worksheets:split=report,count=3").problems} == {"report"}
    assert len(load_data("worksheets")) == 200
    assert load_data("worksheets", limit=4).problems == load_data("worksheets").problems[:4]


@pytest.mark.parametrize(
    "options", ["lines", "lines=x", "width=3", "lines=1,lines=2", "count=0", "lines=99", "split=x"]
)
def test_worksheet_options_that_are_wrong(options: str) -> None:
    with pytest.raises(DataError, match="worksheets"):
        load_data(f"worksheets:{options}")
    with pytest.raises(DataError, match="own fields"):
        load_data("worksheets", inputs="problem")


def test_a_worksheet_file_needs_no_answers(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {"problem": "A: make 5 from 2, 3"})
    assert load_data("a.jsonl", grader="worksheet").problems[0].answer is None


@pytest.mark.parametrize("place", ["data", "home/.cache/pdr-dspy/data", "elsewhere"])
def test_benchmarks_come_from_a_local_file_first(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if place == "elsewhere":
        monkeypatch.setenv("PDR_DATA_DIR", str(tmp_path / place))
    write(tmp_path / place / "aime25.jsonl", {"id": "I-1", "problem": "?", "answer": "70"})
    data = load_data("aime25")
    assert (data.problems[0].id, data.grader.name) == ("I-1", "integer")


def test_benchmarks_come_from_the_hub_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(*place: Any, split: str) -> list[dict[str, Any]]:
        asked.append((*place, split))
        return [{"id": 60, "problem": "?", "answer": "204"}]

    hub(monkeypatch, load)
    assert load_data("aime24").problems[0].answer == "204"
    assert asked == [("HuggingFaceH4/aime_2024", None, "train")]


def test_a_benchmark_that_is_nowhere_names_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError) as error:
        load_data("math500")
    for words in ("math500.jsonl", "PDR_DATA_DIR", "hf:HuggingFaceH4/MATH-500:test", "pip install 'pdr-dspy[hf]'"):
        assert words in str(error.value)


def test_hub_data_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"question": "?", "answer": 3}]

    def load(repo: str, config: str | None, split: str | None) -> Any:
        if repo == "o/none":
            raise ValueError("BuilderConfig missing\nmore")
        return rows if split else {"a": rows, **({"test": rows} if config else {"b": rows})}

    hub(monkeypatch, load)
    assert load_data("hf:o/n:train", inputs="question").problems[0].answer == "3"
    assert len(load_data("hf:o/n:main:train", inputs="question")) == 1
    with pytest.raises(DataError, match=r"splits a, b.*hf:o/n:a"):
        load_data("hf:o/n", inputs="question")
    with pytest.raises(DataError, match="ValueError: BuilderConfig missing"):
        load_data("hf:o/none")
    with pytest.raises(DataError, match="Columns there: question, answer"):
        load_data("hf:o/n:train")
    with pytest.raises(DataError, match="names no data set"):
        load_data("hf:")


def test_hub_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"pip install 'pdr-dspy\[hf\]'"):
        load_data("hf:openai/gsm8k")


@pytest.mark.skipif(not (DATA / "math500.jsonl").is_file(), reason="needs the benchmarks in $PDR_DATA_DIR")
@pytest.mark.parametrize(("name", "size"), [("aime24", 30), ("aime25", 30), ("math500", 500)])
async def test_references_grade_as_right(name: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDR_DATA_DIR", str(DATA))
    data = load_data(name)
    assert len(data) == size
    for problem in data.problems:
        assert await data.grader.grade(problem, {"answer": f"So the answer is $\\boxed{{{problem.answer}}}$."})


def test_fingerprint_follows_contents_and_grader(tmp_path: Path) -> None:
    rows = [{"problem": str(i), "answer": str(i)} for i in range(3)]
    one = load_data(str(write(tmp_path / "a.jsonl", *rows))).fingerprint
    assert load_data(str(write(tmp_path / "b.jsonl", *rows))).fingerprint == one
    assert load_data(str(tmp_path / "b.jsonl"), grader="exact").fingerprint != one
    assert load_data(str(write(tmp_path / "c.jsonl", *rows[:2]))).fingerprint != one
