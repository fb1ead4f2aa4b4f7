"""A table in several files: a folder of shards, or those that a pattern names. Read as one, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path

from pdr_dspy.data.files.reading import FORMATS, is_file_name, kind_of, read_file
from pdr_dspy.data.files.row import Row, Rows
from pdr_dspy.errors import DataError

_SHARD = re.compile(r"(?P<split>.*?)[-_.]?(?P<number>\d+)-of-(?P<count>\d+)(?:[-_.].*)?")
_SPLITS = ("train", "test", "validation", "valid", "val", "dev")
_DESCRIBING = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "metadata.json")
"""Files beside a table that say what it is."""


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern of file names, and no file's own."""
    return any(char in text for char in "*?[") and not Path(text).exists()


def read_shards(spec: str) -> Rows:
    """The rows of all files of a folder, or of those that a pattern names, in the order of their names.

    Raises:
        DataError: there are none, they are of several kinds or splits, or one can't be read (also while reading).
    """
    folder = Path(spec).is_dir()
    found = sorted(Path(spec).iterdir() if folder else map(Path, glob(spec)))
    if folder:
        found = [path for path in found if not path.name.startswith((".", "_")) and path.name not in _DESCRIBING]
    paths = [path for path in found if path.is_file() and is_file_name(path.name)]
    if not paths:
        raise _none(spec, found)
    kinds = sorted({kind_of(path.name) for path in paths})
    if kinds[1:]:
        mend = f"Name those of one kind in quotes: '{_within(spec, folder)}/*{kinds[0]}'."
        raise DataError("data", f"{spec} has files of several kinds ({', '.join(kinds)})", mend)
    splits = sorted({split for path in paths if (split := _split(path))})
    if splits[1:]:
        mend = f"Name those of one in quotes: '{_within(spec, folder)}/{splits[0]}*{kinds[0]}'."
        raise DataError("data", f"{spec} has several splits ({', '.join(splits)})", mend)
    first = read_file(paths[0])
    if not paths[1:]:
        return replace(first, notes=(*first.notes, f"read is {paths[0].name}", *_missing(paths)))
    notes = (f"{len(paths)} files are read as one, by their names: {paths[0].name} to {paths[-1].name}",)
    return Rows(spec, _rows(paths, first), (*first.notes, *notes, *_missing(paths)), first.decimal_commas)


def _rows(paths: Sequence[Path], first: Rows) -> Iterator[Row]:
    for path in paths:
        rows = first if path == paths[0] else read_file(path)
        for row in rows.rows:
            yield Row(f"{path.name}, {row.place}", row.cells)


def _none(spec: str, found: Sequence[Path]) -> DataError:
    there = f" (there: {', '.join(path.name for path in found[:5])}{', ...' * (len(found) > 5)})" if found else ""
    mend = f"Name a file, or a folder of files: {FORMATS}."
    if any(path.suffix == ".arrow" for path in found):
        mend = "Write it with `datasets`: load_from_disk(folder).to_parquet('data.parquet')."
    elif folders := [path for path in found if path.is_dir()]:
        mend = f"Name one of the folders in it: {folders[0]}."
    return DataError("data", f"there are no files with problems in {spec}{there}", mend)


def _split(path: Path) -> str:
    """What the name says of the split: of `train-00000-of-00003.parquet` and `train.jsonl` it is `train`."""
    stem = path.name.split(".")[0]
    if match := _SHARD.fullmatch(stem):
        return match["split"]
    word = re.split(r"[-_]", stem.lower())[0]
    return word if word in _SPLITS else ""


def _missing(paths: Sequence[Path]) -> tuple[str, ...]:
    """What the names say of shards that are not there."""
    shards = [match for path in paths if (match := _SHARD.fullmatch(path.name.split(".")[0]))]
    count = int(shards[0]["count"]) if shards else 0
    there = {int(shard["number"]) for shard in shards}
    return (f"only {len(there)} of {count} shards are there",) if len(there) < count else ()


def _within(spec: str, folder: bool) -> str:
    return spec.rstrip("/") if folder else str(Path(spec).parent)
