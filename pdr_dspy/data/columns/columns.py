"""Which columns hold what, from the command line's words."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from pdr_dspy.errors import DataError

INPUTS = ("problem",)
ANSWER = "answer"
OPTION_COLUMNS = ("choices", "options")
"""What columns of options are usually called."""


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, each by its name or as a path into one (see `paths.find`).

    Attributes:
        inputs: What a program is given.
        answer: The reference answer, or None where the grader needs none.
        options: The options of a multiple-choice problem: one column with all of them, or one column each. Empty: it
            is none.
        answer_optional: Do without an answer where the column is not there or a cell is empty.
        skip_empty: Leave rows out whose inputs are all empty, or their answer, instead of refusing them.
        fields: Names for the inputs' fields, where they are given.
    """

    inputs: tuple[str, ...] = INPUTS
    answer: str | None = ANSWER
    options: tuple[str, ...] = ()
    answer_optional: bool = False
    skip_empty: bool = False
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.inputs)) < len(self.inputs) or self.answer in self.inputs:
            raise DataError("inputs", "a column is named twice", "An answer column can't be an input as well.")
        if len(set(self.options)) < len(self.options):
            raise DataError("options", "a column is named twice", "Name each option's column once.")
        if set(self.options) & set(self.inputs):
            mend = "Leave the options out of --inputs: they are shown below the problem."
            raise DataError("options", "a column is an input and an option", mend)


def named(text: str, option: str) -> tuple[str, ...]:
    """Column names separated by commas; one that has a comma itself stands in quotes, as in CSV.

    Raises:
        DataError: one of them is empty, or a quote is not closed.
    """
    try:
        rows = list(csv.reader(io.StringIO(text.strip(), newline=""), skipinitialspace=True, strict=True))
    except csv.Error as error:
        mend = f"Put a name that has a comma or a quote in quotes, as in CSV: --{option} '\"a,b\",c'."
        raise DataError(option, f"{text!r} can't be read as column names ({error})", mend) from None
    names = tuple(name.strip() for row in rows for name in row)
    if not names or not all(names):
        raise DataError(option, f"{text!r} has a name that is empty", f"Name columns like `--{option} problem,hint`.")
    return names


def as_words(names: Iterable[str]) -> str:
    """Column names as `named` reads them."""
    return ",".join(f'"{name.replace(chr(34), chr(34) * 2)}"' if _QUOTED & {*name} else name for name in names)


_QUOTED = {",", '"', "\n", "\r"}
