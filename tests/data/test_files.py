"""Files of every kind people have, and every way one can be broken."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data import load_data
from pdr_dspy.data.cells import as_text
from pdr_dspy.data.files import read_file
from pdr_dspy.data.files.json_files import parse_json
from pdr_dspy.errors import DataError

ROWS = [{"problem": 'Say "a, b"\nand c', "answer": "ä"}, {"problem": "1+1?", "answer": "2"}]


def as_jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_csv(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


WRITERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "a.jsonl": as_jsonl,
    "a.ndjson": as_jsonl,
    "lines.json": as_jsonl,
    "a.json": lambda rows: json.dumps(rows, indent=1).encode(),
    "list.jsonl": lambda rows: json.dumps(rows).encode(),
    "within.json": lambda rows: json.dumps({"version": 1, "data": rows}).encode(),
    "a.csv": as_csv,
    "bom.csv": lambda rows: b"\xef\xbb\xbf" + as_csv(rows),
    "german.csv": lambda rows: as_csv(rows, ";"),
    "a.tsv": lambda rows: as_csv(rows, "\t"),
    "a.parquet": as_parquet,
    "a.unheard-of": as_jsonl,
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", WRITERS)
def test_the_same_problems_out_of_every_kind_of_file(name: str, zipped: bool, tmp_path: Path) -> None:
    content = WRITERS[name](ROWS)
    path = tmp_path / (f"{name}.gz" if zipped else name)
    path.write_bytes(gzip.compress(content, mtime=0) if zipped else content)
    data = load_data(str(path))
    assert [(p.inputs["problem"], p.answer) for p in data.problems] == [
        (row["problem"].replace("\n", "\n"), row["answer"]) for row in ROWS
    ]
    assert len(load_data(str(path), limit=1)) == 1


def test_a_gzip_file_without_the_ending(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(as_jsonl(ROWS)))
    assert len(load_data(str(tmp_path / "a.jsonl"))) == 2


def test_a_list_within_an_object_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"meta": {"n": 1}, "rows": ROWS}))
    assert any("'rows'" in note for note in load_data(str(tmp_path / "a.json")).notes)


def test_one_problem_that_is_an_object(tmp_path: Path) -> None:
    row = {"problem": "?", "answer": "B", "choices": [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}]}
    (tmp_path / "a.json").write_text(json.dumps(row))
    assert load_data(str(tmp_path / "a.json"), options="choices").problems[0].options == ("x", "y")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'{"a": [{"x": 1}], "b": [{"x": 1}]}', r"several lists of objects \(a, b\)"),
        ("a.json", b'{"problem": {"0": "?"}, "answer": {"0": "1"}}', "by columns.*records"),
        ("a.json", b'{"7": {"problem": "?", "answer": "1"}}', r"an object for each of the names \(7\).*one a problem"),
        ("a.jsonl", b"[1,2]\n3", "does not parse.*one JSON object a line"),
        ("a.json", b"[1]", "item 1 is a number"),
        ("a.json", b"3", "holds a number"),
        ("a.json", b'[{"problem": "?"', "does not parse"),
        ("a.json", b"\xff\xfe[", "not UTF-8"),
        ("a.jsonl", b'{"problem": "?", "answer": 1, "answer": 2}', "line 1 does not parse .*'answer' comes twice"),
        (
            "a.jsonl",
            b'{"problem": "?", "answer": 1}\n{"problem": "?"\n',
            r"line 2 does not parse \([^(),]*,[^(),]*, column 16\)",
        ),
        ("a.jsonl", "{}".encode("utf-16"), "UTF-16"),
        (
            "a.jsonl",
            b'{"problem": "?", "answer": 1}\n{"problem": "\xff"}',
            r"line 2 is not UTF-8 text \(character 14: byte 0xff\).*iconv -f cp1252",
        ),
        ("a.jsonl", b"[" * 100_000, "nested too deeply|does not parse"),
        ("a.jsonl", b'{"problem": "?", "answer": ' + b"[" * 99 + b"]" * 99 + b"}\n{", "line 2 does not parse"),
        *(
            (
                "a.jsonl",
                b'{"answer": 1, "problem": ' + b'{"a":' * n + b"1" + b"}" * n + b"}",
                "line 1.*nested too deeply",
            )
            for n in (100, 500, 900, 9000)
        ),
        ("a.csv", b"problem,answer\n1,000,2\n", "line 2 has 3 cells.*2 columns"),
        ("a.csv", b"problem,answer\na,1\nb\n", "line 3 has 1 cells"),
        ("a.csv", b'problem,answer\n"a,1\nb,2\n', "line 2 is no CSV"),
        ("a.csv", b"problem,problem\na,b\n", "two columns 'problem'"),
        ("a.csv", "problem,answer\na,b\n".encode("utf-16"), "UTF-16"),
        ("a.csv", b"problem,answer\na,\xe4\n", r"line 2, column 'answer' is not UTF-8 text \(character 3: byte 0xe4\)"),
        (
            "a.csv",
            b'problem,answer\n"a\nb",1\nd\xe9j\xe0,2\n',
            r"line 4, column 'problem' .*iconv -f cp1252 -t utf-8 \S+a.csv >",
        ),
        (
            "a.csv.gz",
            gzip.compress(b"probl\xe8me,answer\na,1\n", mtime=0),
            r"line 1 is not.*gzip -dc \S+a.csv.gz \| iconv",
        ),
        ("a.json", b'[{"problem":\n"\xe9"}]', r"line 2 is not UTF-8 text \(character 2"),
        ("a.csv", b"sep=;\nproblem;answer\na;b;c\n", "line 3 has 3 cells"),
        ("a.csv", b"", "no rows"),
        ("a.csv", b"problem,answer\n", "no rows"),
        ("a.parquet", b"PAR1 is not all", "can't be read as Parquet"),
        ("a.xlsx", b"PK\x03\x04rest", "spreadsheet"),
        ("a.jsonl.gz", gzip.compress(b'{"problem": "?", "answer": 1}\n' * 999, mtime=0)[:40], "no whole gzip file"),
    ],
)
def test_a_broken_file_says_where(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_data(str(tmp_path / name))


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('problem,answer\n"two\nlines",1\n\nb,\n')
    with pytest.raises(DataError, match=r"line 5: column 'answer' is empty"):
        load_data(str(tmp_path / "a.csv"))


def test_a_limit_does_not_read_what_is_behind_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(ROWS) + b"{oops\n")
    assert len(load_data(str(tmp_path / "a.jsonl"), limit=2)) == 2
    with pytest.raises(DataError, match="line 3"):
        load_data(str(tmp_path / "a.jsonl"))


def test_a_limit_reads_a_parquet_files_first_rows_alone(tmp_path: Path) -> None:
    table = pa.table({"problem": [str(i) for i in range(5000)], "answer": list(range(5000))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1000)
    rows = read_file(tmp_path / "a.parquet").rows
    assert next(rows).cells == {"problem": "0", "answer": 0}
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    middle = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(3).column(0).data_page_offset
    data[middle : middle + 64] = b"\xff" * 64
    (tmp_path / "a.parquet").write_bytes(data)
    assert len(load_data(str(tmp_path / "a.parquet"), limit=500)) == 500


@pytest.mark.parametrize("text", ["0.00001", "2.5e-7", "1e16", "1E+2", "-0", "1.0", "007", "9" * 5000])
def test_a_number_keeps_its_spelling(text: str, tmp_path: Path) -> None:
    if text != "007":  # no JSON
        (tmp_path / "a.jsonl").write_text(f'{{"problem": "?", "answer": {text}}}\n')
        assert load_data(str(tmp_path / "a.jsonl"), grader="exact").problems[0].answer == text
    (tmp_path / "a.csv").write_text(f"problem,answer\n?,{text}\n")
    assert load_data(str(tmp_path / "a.csv"), grader="exact").problems[0].answer == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_spelled_so_that_it_is_itself(value: float) -> None:
    text = as_text(value)
    assert float(text) == value
    assert ("e" in text) == (value != 0 and not 1e-7 <= abs(value) < 1e21 and "e" in repr(value))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_a_cell_is_the_json_that_was_written(value: Any) -> None:
    written = json.dumps(value, ensure_ascii=False)
    assert as_text(parse_json(written)) == (value if isinstance(value, str) else written)


@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_narrow_floats_keep_their_shortest_spelling(kind: str, tmp_path: Path) -> None:
    values = pa.array([0.1, 2.5, None], pa.float64()).cast(pa.type_for_alias(kind), safe=False)
    table = pa.table({"problem": ["a", "b", "c"], "answer": ["1", "2", "3"], "x": values})
    pq.write_table(table, tmp_path / "a.parquet")
    rows = list(read_file(tmp_path / "a.parquet").rows)
    assert [row.cells["x"] for row in rows] == [0.1, 2.5, None]


def test_floats_of_a_parquet_file(tmp_path: Path) -> None:
    rows = [{"problem": "a", "answer": 0.00001}, {"problem": "b", "answer": 42.0}]
    (tmp_path / "a.parquet").write_bytes(as_parquet(rows))
    assert [p.answer for p in load_data(str(tmp_path / "a.parquet"), grader="exact").problems] == ["0.00001", "42.0"]
    (tmp_path / "b.parquet").write_bytes(as_parquet([*rows, {"problem": "c", "answer": math.nan}]))
    with pytest.raises(DataError, match="row 3: column 'answer' is NaN"):
        load_data(str(tmp_path / "b.parquet"))
