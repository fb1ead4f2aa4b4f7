"""CSV and TSV files, as spreadsheets and pandas write them. Every cell is text, as it stands there."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pdr_dspy.data.files.bytes import UTF16, as_utf8, not_text, opened
from pdr_dspy.data.files.row import Row, Rows
from pdr_dspy.errors import DataError

_LARGEST_CELL = 2**31 - 1
_OTHERS = (";", "\t", "|")
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""What Excel takes a first line for that says which separator the file has."""


@dataclass(frozen=True)
class _Layout:
    """How a file's cells are separated, and how many lines stand above the one that names the columns."""

    delimiter: str
    above: int = 0


def read_delimited(path: Path, delimiter: str) -> Rows:
    """The rows of a file whose first line names its columns.

    Args:
        path: The file.
        delimiter: What stands between cells, unless a line `sep=;` above the columns' names says it; where that line
            has none of it, one of `;`, tab and `|` that it has.

    Raises:
        DataError: it can't be read; while reading, a line with more or fewer cells than there are columns.
    """
    with opened(path) as file:
        begins = file.read(65536)
    if begins.startswith(UTF16):
        raise DataError("data", f"{path} is UTF-16 text, not UTF-8 text", as_utf8(path, "utf-16"))
    header = begins.decode("utf-8-sig", errors="replace").split("\n", 1)[0]
    said = _SEPARATOR.fullmatch(header)
    other = next((each for each in _OTHERS if each in header), None) if delimiter not in header else None
    layout = _Layout(said[1], above=1) if said else _Layout(other or delimiter)
    notes = (f"its cells are separated by {layout.delimiter!r}",) if layout.delimiter != delimiter else ()
    return Rows(str(path), _rows(path, layout), notes, decimal_commas=layout.delimiter == ";")


def _rows(path: Path, layout: _Layout) -> Iterator[Row]:
    before = csv.field_size_limit(_LARGEST_CELL)
    try:
        for line, names, cells in _lines(path, layout, "strict"):
            if len(cells) != len(names):
                raise DataError(
                    "data",
                    f"{path}, line {line} has {len(cells)} cells, the first line names {len(names)} columns",
                    'Put a cell that holds the separator, a quote or a line break in quotes: "1,000".',
                )
            yield Row(f"line {line}", dict(zip(names, cells, strict=True)))
    except UnicodeDecodeError:
        raise not_text(path, _column_of_no_text(path, layout)) from None
    finally:
        csv.field_size_limit(before)


def _lines(path: Path, layout: _Layout, errors: str) -> Iterator[tuple[int, list[str], list[str]]]:
    """Each row that is not blank: the line it begins at, the columns' names, its cells."""
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors=errors, newline="")
        for _ in range(layout.above):
            text.readline()
        reader = csv.reader(text, delimiter=layout.delimiter, strict=True)
        names: list[str] | None = None
        line = 1 + layout.above
        try:
            for cells in reader:
                if names is None:
                    names = _names(cells, path)
                elif cells:
                    yield line, names, cells
                line = reader.line_num + 1 + layout.above
        except csv.Error as error:
            mend = 'Close every quote, and write a quote within a cell twice: "".'
            raise DataError("data", f"{path}, line {line} is no CSV ({error})", mend) from None


def _column_of_no_text(path: Path, layout: _Layout) -> str:
    """The column of the first cell that is no UTF-8, or "" where that can't be told."""
    try:
        for _, names, cells in _lines(path, layout, "surrogateescape"):
            for name, cell in zip(names, cells, strict=False):
                if not cell.isascii() and any("\udc80" <= char <= "\udcff" for char in cell):
                    return name
    except DataError:
        return ""
    return ""


def _names(cells: list[str], path: Path) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError("data", f"{path} has two columns {twice[0]!r}", "Give each column its own name.")
    return names
