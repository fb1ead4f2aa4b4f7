"""Reference answers as tables have them: several letters, decimal commas, worked solutions, lists; all of it told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data import Dataset, load_data
from pdr_dspy.data.columns.choices import Options
from pdr_dspy.data.columns.letters import separate
from pdr_dspy.errors import DataError


def loaded(tmp_path: Path, content: str | list[dict[str, Any]], **said: Any) -> Dataset:
    path = tmp_path / ("a.csv" if isinstance(content, str) else "a.jsonl")
    path.write_text(content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content))
    return load_data(str(path), **said)


def answers(data: Dataset) -> list[str | None]:
    return [problem.answer for problem in data.problems]


def told(data: Dataset, *words: str) -> bool:
    return any(all(word in note for word in words) for note in data.notes)


@pytest.mark.parametrize(
    ("answer", "letters"),
    [
        ("AC", "A, C"), ("A,C", "A, C"), ("A and C", "A, C"), ("a, c", "A, C"), ("(A), (C)", "A, C"), ("C & A", "C, A"),
        ("A, B, and C", "A, B, C"), ('["A", "C"]', "A, C"), ("['C', 'A']", "C, A"), (["A", "C"], "A, C"), ("B", "B"),
        ("red; green", "A, C"),
    ],
)  # fmt: skip
def test_several_letters_are_all_wanted(answer: object, letters: str, tmp_path: Path) -> None:
    rows = [{"problem": "x", "options": ["red", "blue", "green"], "answer": answer}]
    rows.append({"problem": "y", "options": ["red", "blue", "green"], "answer": "A"})
    data = loaded(tmp_path, rows, options="options")
    assert answers(data) == [letters, "A"] and data.grader.name == "choice"
    assert told(data, "all of them are wanted") == ("," in letters)


def test_numbers_of_several_options(tmp_path: Path) -> None:
    rows = [{"problem": str(i), "options": ["red", "blue", "green"], "answer": a} for i, a in enumerate(["0,2", "1"])]
    assert answers(loaded(tmp_path, rows, options="options")) == ["A, C", "B"]


@pytest.mark.parametrize("answer", ["A or C", "AD", "AA", "AX", "A, D", "none"])
def test_what_names_no_options_is_refused(answer: str, tmp_path: Path) -> None:
    rows = [{"problem": "x", "options": ["red", "blue", "green"], "answer": answer}]
    with pytest.raises(DataError, match="none of the 3 options"):
        loaded(tmp_path, rows, options="options")


@given(st.lists(st.text("abAB, &", min_size=1, max_size=6).filter(str.strip), min_size=2, max_size=5, unique=True))
def test_an_option_is_never_taken_apart(texts: list[str]) -> None:
    options = Options(tuple(text.strip() for text in texts))
    for text in set(options.texts):
        if options.texts.count(text) == 1:
            assert separate(options, text) == (text,)


def test_decimal_commas_where_semicolons_are_between_cells(tmp_path: Path) -> None:
    data = loaded(tmp_path, "problem;answer\na;3,5\nb;4\nc;1.234,25\n")
    assert answers(data) == ["3.5", "4", "1234.25"] and told(data, "2 rows", "line 2", "3,5 is 3.5")
    for content in ("problem;answer\na;1,234\nb;4\n", "problem;answer\na;3,5\nb;x+1\n"):
        data = loaded(tmp_path, content)
        assert answers(data)[0] in ("1,234", "3,5") and told(
            data, "line 2", "left as it is", "for a decimal comma write"
        )
    assert answers(loaded(tmp_path, 'problem,answer\na,"3,5"\n')) == ["3,5"]


@pytest.mark.parametrize("first", ["sep=;", "\ufeffsep=;", '"sep=;"', "SEP=;"])
def test_excels_line_that_names_the_separator(first: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"{first}\r\nproblem;answer\r\na,b;1\r\nc;2\r\n".encode())
    data = load_data(str(path))
    assert [p.inputs["problem"] for p in data.problems] == ["a,b", "c"] and told(data, "separated by ';'")


def test_a_row_without_the_mark_is_named(tmp_path: Path) -> None:
    rows = [{"problem": str(i), "answer": f"work\n#### {i}"} for i in range(9)]
    data = loaded(tmp_path, [*rows, {"problem": "last", "answer": "only words"}])
    assert answers(data) == [*map(str, range(9)), "only words"]
    assert told(data, "behind ####", "1 of 10 rows have none", "line 10")
    data = loaded(tmp_path, [rows[0], *({"problem": f"p{i}", "answer": str(i)} for i in range(5))])
    assert answers(data)[0] == "work\n#### 0" and told(data, "1 of 6 rows have ####", "line 2 has not", "nothing")


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    data = loaded(tmp_path, [{"problem": "a", "answer": ["x", None]}, {"problem": "b", "answer": ["y"]}])
    assert told(data, "1 list of answers", "line 1")
    rows = [{"problem": "a", "answer": "x"}, {"problem": "b", "answer": None}, {"problem": "c", "answer": ""}]
    assert told(loaded(tmp_path, rows, grader="operator:eq"), "2 rows have no answer", "line 2")
    assert told(loaded(tmp_path, rows, skip_empty=True), "2 rows are left out", "answer")


def test_lists_written_as_text(tmp_path: Path) -> None:
    data = loaded(tmp_path, "problem,answer\na,\"['Paris', 'paris']\"\nb,\"['Rome']\"\n")
    assert data.problems[0].answers == ("Paris", "paris") and told(data, "lists of texts")
    assert answers(loaded(tmp_path, "problem,answer\na,\"['Paris']\"\nb,Rome\n")) == ["['Paris']", "Rome"]
