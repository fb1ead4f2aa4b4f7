"""CSV and TSV files, as spreadsheets and pandas write them. Every cell is text, as it stands there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from pdr_dspy.data.files.bytes import UTF16, not_text, opened
from pdr_dspy.data.files.row import Row, Rows
from pdr_dspy.errors import DataError

_LARGEST_CELL = 2**31 - 1
_OTHERS = (";", "\t", "|")


def read_delimited(path: Path, delimiter: str) -> Rows:
    """The rows of a file whose first line names its columns.

    Args:
        path: The file.
        delimiter: What stands between cells; where the first line has none of it, one of `;`, tab and `|` that it has.

    Raises:
        DataError: it can't be read; while reading, a line with more or fewer cells than there are columns.
    """
    with opened(path) as file:
        begins = file.read(65536)
    if begins.startswith(UTF16):
        raise DataError("data", f"{path} is UTF-16 text, not UTF-8 text", "Save it as UTF-8 text (CSV UTF-8 in Excel).")
    header = begins.decode("utf-8-sig", errors="replace").split("\n", 1)[0]
    other = next((each for each in _OTHERS if each in header), None) if delimiter not in header else None
    notes = (f"its cells are separated by {other!r}",) if other else ()
    return Rows(str(path), _rows(path, other or delimiter), notes)


def _rows(path: Path, delimiter: str) -> Iterator[Row]:
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        before = csv.field_size_limit(_LARGEST_CELL)
        try:
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            names: list[str] | None = None
            line = 1
            for cells in reader:
                if names is None:
                    names = _names(cells, path)
                elif cells:
                    if len(cells) != len(names):
                        raise DataError(
                            "data",
                            f"{path}, line {line} has {len(cells)} cells, the first line names {len(names)} columns",
                            'Put a cell that holds the separator, a quote or a line break in quotes: "1,000".',
                        )
                    yield Row(f"line {line}", dict(zip(names, cells, strict=True)))
                line = reader.line_num + 1
        except csv.Error as error:
            mend = 'Close every quote, and write a quote within a cell twice: "".'
            raise DataError("data", f"{path}, line {line} is no CSV ({error})", mend) from None
        except UnicodeDecodeError as error:
            raise not_text(path, f", after line {line - 1}", error) from None
        finally:
            csv.field_size_limit(before)


def _names(cells: list[str], path: Path) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError("data", f"{path} has two columns {twice[0]!r}", "Give each column its own name.")
    return names
