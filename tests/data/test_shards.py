"""A table in several files, and column names that have commas."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data import load_data
from pdr_dspy.data.columns.columns import as_words, named
from pdr_dspy.errors import DataError


def shard(path: Path, *numbers: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"problem": f"say {number}", "answer": str(number)} for number in numbers]
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return
    lines = ["problem,answer", *(f"say {n},{n}" for n in numbers)] if name.endswith(".csv") else map(json.dumps, rows)
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def answers(spec: Path | str, limit: int | None = None) -> list[str | None]:
    return [problem.answer for problem in load_data(str(spec), limit=limit).problems]


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv", "jsonl.gz"])
def test_shards_are_one_table_in_the_order_of_their_names(ending: str, tmp_path: Path) -> None:
    for number in (2, 0, 1):
        shard(tmp_path / "data" / f"train-{number:05}-of-00003.{ending}", 2 * number, 2 * number + 1)
    (tmp_path / "data" / "README.md").write_text("# nothing")
    (tmp_path / "data" / "dataset_info.json").write_text("{}")
    (tmp_path / "data" / f"_temporary.{ending}").write_bytes(b"half")
    for spec in (tmp_path / "data", f"{tmp_path}/data/", tmp_path / "data" / "train-*"):
        assert answers(spec) == list("012345")
    assert answers(tmp_path / "data", limit=3) == list("012")
    data = load_data(str(tmp_path / "data" / "*[02]-of*"))
    assert [p.answer for p in data.problems] == list("0145") and any("only 2 of 3 shards" in n for n in data.notes)
    assert [p.id for p in data.problems] == list("1234")


def test_an_error_names_the_file_and_its_line(tmp_path: Path) -> None:
    shard(tmp_path / "a.jsonl", 1)
    (tmp_path / "b.jsonl").write_text('{"problem": "x", "answer": "1"}\n{"problem": "", "answer": "2"}\n')
    with pytest.raises(DataError, match=r"b\.jsonl, line 2: column 'problem' is empty"):
        load_data(str(tmp_path))


def test_what_is_no_one_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no files with problems"):
        load_data(str(tmp_path))
    with pytest.raises(DataError, match="no files with problems"):
        load_data(f"{tmp_path}/*.jsonl")
    shard(tmp_path / "in" / "test-00000-of-00001.parquet", 1)
    with pytest.raises(DataError, match=r"Name one of the folders in it: \S+/in"):
        load_data(str(tmp_path))
    shard(tmp_path / "in" / "train-00000-of-00001.parquet", 2)
    with pytest.raises(DataError, match=r"several splits \(test, train\).*/in/test\*\.parquet"):
        load_data(str(tmp_path / "in"))
    assert answers(tmp_path / "in" / "test*") == ["1"]
    shard(tmp_path / "mixed" / "a.csv", 1)
    shard(tmp_path / "mixed" / "b.jsonl", 1)
    with pytest.raises(DataError, match=r"several kinds \(\.csv, \.jsonl\).*/mixed/\*\.csv"):
        load_data(str(tmp_path / "mixed"))
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "data-00000-of-00001.arrow").write_bytes(b"")
    with pytest.raises(DataError, match="load_from_disk"):
        load_data(str(tmp_path / "disk"))


def test_a_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    shard(tmp_path / "a[1].jsonl", 7)
    assert answers(tmp_path / "a[1].jsonl") == ["7"]


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1).map(str.strip).filter(bool)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_names_are_read_as_they_are_shown(names: list[str]) -> None:
    assert named(as_words(names), "inputs") == tuple(names)


def test_columns_whose_names_have_commas(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"problem, in words",hint,"the ""right"", answer"\nwhat?,none,5\n')
    for answer in ('the "right", answer', '"the ""right"", answer"'):
        data = load_data(str(path), inputs='"problem, in words", hint', answer=answer)
        assert list(data.problems[0].inputs.values()) == ["what?", "none"] and data.problems[0].answer == "5"
    with pytest.raises(DataError, match="""in quotes: --inputs '"problem, in words"'"""):
        load_data(str(path), inputs="problem, in words")
    with pytest.raises(DataError, match="as in CSV"):
        load_data(str(path), inputs='"problem, in words')
    path.write_text('problem,"a, red","b, blue",answer\nwhat?,1,2,A\n')
    assert load_data(str(path), options='"a, red","b, blue"').problems[0].options == ("1", "2")
