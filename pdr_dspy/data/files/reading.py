"""Which reader a file gets: by its name, and by how it begins where the name is mistaken."""

from __future__ import annotations

from pathlib import Path

from pdr_dspy.data.files.bytes import PARQUET, ZIP, first_bytes
from pdr_dspy.data.files.delimited import read_delimited
from pdr_dspy.data.files.json_files import read_json, read_jsonl
from pdr_dspy.data.files.parquet import read_parquet
from pdr_dspy.data.files.row import Rows
from pdr_dspy.errors import DataError

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
FORMATS = ".jsonl, .json, .csv, .tsv or .parquet (each also .gz)"


def read_file(path: Path) -> Rows:
    """The rows of a file. A name that is none of ours is read as JSONL.

    Raises:
        DataError: it can't be read, or is of a kind that is not read here.
    """
    begins = first_bytes(path, 4, unzipped=path.is_file())
    if begins == ZIP:
        mend = f"Save it as CSV (UTF-8), or unzip it: {FORMATS}."
        raise DataError("data", f"{path} is a zip file or a spreadsheet", mend)
    suffix = _suffix(path.name)
    if suffix == ".parquet" or begins == PARQUET:
        return read_parquet(path)
    if suffix in (".csv", ".tsv"):
        return read_delimited(path, "," if suffix == ".csv" else "\t")
    return read_json(path) if suffix == ".json" else read_jsonl(path)


def is_file_name(text: str) -> bool:
    """Whether a text looks like the name of a file that is read here."""
    return _suffix(text) in SUFFIXES


def kind_of(name: str) -> str:
    """The ending of a file's name, without `.gz`; the two names of JSON lines count as one."""
    suffix = _suffix(name)
    return ".jsonl" if suffix == ".ndjson" else suffix


def without_ending(text: str) -> str:
    """The name of a file that is read here, without its folder and its endings; another text as it is."""
    if not is_file_name(text):
        return text
    name = Path(text).name
    return Path(name[: -len(".gz")] if name.lower().endswith(".gz") else name).stem


def _suffix(name: str) -> str:
    lower = name.lower()
    return Path(lower.removesuffix(".gz")).suffix
