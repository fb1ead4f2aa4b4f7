"""Rows of a table (dictionaries) to problems. Both JSONL files and Hugging Face data sets end here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pdr_dspy.data.problem import Problem
from pdr_dspy.errors import DataError

ID_COLUMNS = ("id", "unique_id", "problem_id")
"""Where a row's id is looked for; rows without one are numbered from 1."""


@dataclass(frozen=True)
class Columns:
    """Which columns hold what.

    Attributes:
        inputs: Columns that a program is given.
        answer: Column of the reference answer, or None where the grader needs none.
    """

    inputs: tuple[str, ...] = ("problem",)
    answer: str | None = "answer"

    @classmethod
    def parse(cls, inputs: str | None, answer: str | None, *, needs_answer: bool = True) -> Columns:
        """From the command line's words (`problem` or `problem,hint`, and `answer`).

        Raises:
            DataError: a name that is no field name, no name, or one named twice.
        """
        names = tuple(name.strip() for name in (inputs or "problem").split(","))
        target = (answer or "answer").strip()
        for name in (*names, target):
            if not name.isidentifier():
                raise DataError("inputs", f"{name!r} is no field name", "Name columns like `--inputs problem,hint`.")
        if len({*names, target}) <= len(names):
            raise DataError("inputs", "a column is named twice", "An answer column can't be an input as well.")
        return cls(names, target if needs_answer else None)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.inputs if self.answer is None else (*self.inputs, self.answer)


def problems_from(rows: Iterable[tuple[str, Mapping[str, Any]]], columns: Columns, source: str) -> list[Problem]:
    """Problems of rows.

    Args:
        rows: (Where the row stands, for messages, like `line 3`; the row).
        columns: Which columns to read.
        source: The table's name, for messages.

    Raises:
        DataError: no rows, a column that is not there (with those that are), a null, an id that comes twice.
    """
    problems: list[Problem] = []
    places: dict[str, str] = {}
    for number, (place, row) in enumerate(rows, start=1):
        _check_columns(row, columns, f"{source}, {place}")
        problem = _problem(number, row, columns)
        if problem.id in places:
            raise DataError(
                "data",
                f"{source} has the id {problem.id!r} at {places[problem.id]} and at {place}",
                "Give every row its own id, or none at all (rows are numbered then).",
            )
        places[problem.id] = place
        problems.append(problem)
    if not problems:
        raise DataError("data", f"{source} has no rows", "Give at least one problem.")
    return problems


def _check_columns(row: Mapping[str, Any], columns: Columns, where: str) -> None:
    for name in columns.names:
        field = "answer" if name == columns.answer else "inputs"
        if name not in row:
            there = ", ".join(row) or "none"
            raise DataError(field, f"{where}: there is no column {name!r}", f"Columns there: {there}.")
        if row[name] is None:
            raise DataError(field, f"{where}: column {name!r} is null", "Fill it in, or leave the row out.")


def _problem(number: int, row: Mapping[str, Any], columns: Columns) -> Problem:
    id_column = next((name for name in ID_COLUMNS if row.get(name) is not None), None)
    used: Sequence[str] = (*columns.names, *([id_column] if id_column else []))
    return Problem(
        id=str(number if id_column is None else row[id_column]),
        inputs={name: as_text(row[name]) for name in columns.inputs},
        answer=None if columns.answer is None else as_text(row[columns.answer]),
        extra={name: value for name, value in row.items() if name not in used},
    )


def as_text(value: Any) -> str:
    """A cell as the text a model reads: strings as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
