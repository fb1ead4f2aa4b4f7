"""The cells that a problem is made of, checked one row at a time: what is missing, and what no model could be sent."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pdr_dspy.characters import is_whole, whole_json
from pdr_dspy.data.cells import NotFinite, as_text, is_missing, plain
from pdr_dspy.data.columns.columns import Columns, as_words
from pdr_dspy.data.columns.paths import MISSING, find, paths
from pdr_dspy.data.columns.unused import unused_options
from pdr_dspy.data.files import Row
from pdr_dspy.errors import DataError

ID_COLUMNS = ("id", "unique_id", "problem_id", "problem_idx")
"""Where a row's id is looked for; rows without one are numbered from 1."""


@dataclass(frozen=True)
class Raw:
    """One row's cells.

    Attributes:
        where: The file and the place in it.
        id: The problem's id.
        inputs: In the order of the columns; an empty text where nothing stands.
        answer: None where there is none.
        options: In the order of the columns; null where an option is not there.
        extra: All columns that are none of these.
    """

    where: str
    id: str
    inputs: tuple[Any, ...]
    answer: Any
    options: tuple[Any, ...]
    extra: dict[str, Any]


def raw_row(row: Row, columns: Columns, number: int, source: str) -> Raw | str:
    """A row's cells; or, where it is to be left out (`columns.skip_empty`), the column that is empty.

    Of several inputs some may be empty, as a context that few problems have.

    Args:
        row: The row.
        columns: Which cells.
        number: Its id, where it has none.
        source: The table's name.

    Raises:
        DataError: a cell is not there, or is no number or text that could be sent; the answer or all inputs are empty.
    """
    where = f"{source}, {row.place}"
    cells = [_cell(row.cells, name, "inputs", where, columns) for name in columns.inputs]
    if all(map(is_missing, cells)):
        if columns.skip_empty:
            return " and ".join(columns.inputs)
        raise _empty(cells[0], columns.inputs, "inputs", where)
    for name, value in zip(columns.inputs, cells, strict=True):
        if not is_missing(value):
            check_text(value, name, "inputs", where)
    answer = _answer(row.cells, columns, where)
    if answer is MISSING:
        return str(columns.answer)
    options = []
    for name in columns.options:
        value = _cell(row.cells, name, "options", where, columns)
        if not is_missing(value):
            check_text(value, name, "options", where)
        options.append(value)
    id_column = next((name for name in ID_COLUMNS if not is_missing(row.cells.get(name))), None)
    if id_column:
        check_text(row.cells[id_column], id_column, "id", where)
    used = {*columns.inputs, columns.answer, *columns.options, id_column}
    return Raw(
        where,
        str(number) if id_column is None else as_text(row.cells[id_column]),
        tuple("" if is_missing(value) else value for value in cells),
        answer,
        tuple(options),
        {name: whole_json(plain(value)) for name, value in row.cells.items() if name not in used},
    )


def _answer(cells: Mapping[str, Any], columns: Columns, where: str) -> Any:
    """The answer's cell; None where there may be none; `MISSING` where the row is to be left out."""
    if columns.answer is None:
        return None
    if columns.answer_optional:
        value = find(cells, columns.answer)
        if value is MISSING or is_missing(value):
            return None
    else:
        value = _cell(cells, columns.answer, "answer", where, columns)
        if is_missing(value):
            if columns.skip_empty:
                return MISSING
            raise _empty(value, (columns.answer,), "answer", where)
    check_text(value, columns.answer, "answer", where)
    return value


def _cell(cells: Mapping[str, Any], name: str, field: str, where: str, columns: Columns) -> Any:
    value = find(cells, name)
    if value is MISSING:
        names = paths(cells)
        there = ", ".join(as_words([each]) for each in names) or "none"
        mend = f"Name another with --{field}. Columns there: {there}."
        if not columns.options and (unused := unused_options(cells, {*columns.inputs, columns.answer})):
            mend += f" If it is multiple choice: {unused}."
        if comma := next((each for each in names if "," in each), None):
            mend += f" One that has a comma stands in quotes: --{field} {shlex.quote(as_words([comma]))}."
        raise DataError(field, f"{where}: there is no column {name!r}", mend)
    return value


def _empty(value: Any, names: Sequence[str], field: str, where: str) -> DataError:
    mend = "Fill it in, or leave such rows out with --skip-empty."
    if len(names) > 1:
        return DataError(field, f"{where}: columns {', '.join(map(repr, names))} are all empty", mend)
    what = "null" if value is None else "NaN" if isinstance(value, float | NotFinite) else "empty"
    return DataError(field, f"{where}: column {names[0]!r} is {what}", mend)


def check_text(value: Any, name: str, field: str, where: str) -> None:
    """Refuse what is no text that a model could be sent.

    Raises:
        DataError: half a character, a NUL, bytes, or a number that is none.
    """
    if isinstance(value, Mapping):
        for kept in value.values():
            check_text(kept, name, field, where)
    elif isinstance(value, list | tuple):
        for kept in value:
            check_text(kept, name, field, where)
    elif isinstance(value, bytes):
        raise DataError(field, f"{where}: column {name!r} holds bytes, no text", "Name a column of text.")
    elif isinstance(value, NotFinite) or (isinstance(value, float) and not math.isfinite(value)):
        mend = "Write a number or a text, or leave the row out of the file."
        raise DataError(field, f"{where}: column {name!r} has {value}, which is no value", mend)
    elif isinstance(value, str):
        if not is_whole(value):
            mend = "Write the character whole (an emoji was cut in two), or leave the row out of the file."
            raise DataError(field, f"{where}: column {name!r} has half a character", mend)
        if "\0" in value:
            mend = "Take it out, or leave the row out of the file."
            raise DataError(field, f"{where}: column {name!r} has a NUL character (\\0)", mend)
