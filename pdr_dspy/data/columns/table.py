"""Rows to problems. What one row can't say (how answers are named, what a list of them means) all rows decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pdr_dspy.data.cells import as_text, is_missing
from pdr_dspy.data.columns.answers import Answers
from pdr_dspy.data.columns.choices import NoOptions, Options, in_columns, options_of
from pdr_dspy.data.columns.columns import Columns
from pdr_dspy.data.columns.messages import Unshowable, chat
from pdr_dspy.data.columns.names import field_name
from pdr_dspy.data.columns.paths import paths
from pdr_dspy.data.columns.raw import Raw, raw_row
from pdr_dspy.data.columns.references import Several, joined
from pdr_dspy.data.columns.sides import SPLIT, told_sides
from pdr_dspy.data.files import Rows
from pdr_dspy.data.problem import Problem
from pdr_dspy.errors import DataError


@dataclass(frozen=True)
class Table:
    """Problems as a table has them, and what was understood of it.

    Attributes:
        problems: In the table's order.
        inputs, answer: The fields that the columns have become.
        columns: All columns there are in the first row, as paths.
        several: What several answers to one problem mean, or None where each has one.
        notes: What was understood, in sentences.
    """

    problems: tuple[Problem, ...]
    inputs: tuple[str, ...]
    answer: str
    columns: tuple[str, ...] = ()
    several: Several | None = None
    notes: tuple[str, ...] = ()


def read_table(rows: Rows, columns: Columns, limit: int | None = None, several: Several | None = None) -> Table:
    """The problems of a table.

    Args:
        rows: The table.
        columns: Which columns to read.
        limit: Read no more than so many problems.
        several: What several answers to one problem mean; None: decided from the answers.

    Raises:
        DataError: no rows, a column that is not there (with those that are), a cell that can't be used (with its line
            and column), an id that comes twice.
    """
    there: tuple[str, ...] = ()
    left_out: Counter[str] = Counter()
    raws: list[Raw] = []
    places: dict[str, str] = {}
    for number, row in enumerate(rows.rows, start=1):
        there = there or tuple(paths(row.cells))
        try:
            raw = raw_row(row, columns, number, rows.source)
        except RecursionError:
            mend = "Write what is in it flat."
            raise DataError("data", f"{rows.source}, {row.place}: a cell is nested too deeply", mend) from None
        if isinstance(raw, str):
            left_out[raw] += 1
            continue
        if raw.id in places:
            raise DataError(
                "data",
                f"{rows.source} has the id {raw.id!r} at {places[raw.id]} and at {row.place}",
                "Give every row its own id, or none at all (rows are numbered then).",
            )
        places[raw.id] = row.place
        raws.append(raw)
        if limit is not None and len(raws) >= limit:
            break
    if not raws:
        mend = "Give at least one problem."
        why = f"{rows.source} has no rows" if not left_out else f"every row of {rows.source} is empty somewhere"
        raise DataError("data", why, mend)
    return _Reader(columns, raws, rows, several).table(there, left_out)


class _Reader:
    """Makes problems of rows, and keeps what it tells."""

    def __init__(self, columns: Columns, raws: list[Raw], rows: Rows, several: Several | None) -> None:
        self.columns, self.raws, self.several = columns, raws, several
        self.notes = list(rows.notes)
        self.answers = Answers(columns, raws, rows.decimal_commas, self.notes)

    def table(self, there: tuple[str, ...], left_out: Counter[str]) -> Table:
        for name, count in left_out.items():
            self.notes.append(f"{count} {'rows are' if count > 1 else 'row is'} left out: {name} is empty there")
        self._tell_empty()
        if said := told_sides([raw.extra.get(SPLIT) for raw in self.raws]):
            self.notes.append(said)
        fields = self._fields()
        answer = field_name(self.columns.answer or "answer", fields, answer=True)
        if self.columns.answer and answer != self.columns.answer:
            self.notes.append(f"column {self.columns.answer} is the field {answer}")
        texts = self._texts()
        options = self._options(texts) if self.columns.options else None
        if options is not None:
            for row, offered in zip(texts, options, strict=True):
                row[_last(row)] = offered.below(row[_last(row)])
        answers, kind = self.answers.read(options, self.several)
        whole = kind == "all"
        problems = tuple(
            Problem(
                id=raw.id,
                inputs=dict(zip(fields, row, strict=True)),
                answer=None if not given else joined(given) if whole else given[0],
                options=options[number].texts if options is not None else (),
                answers=given if len(given) > 1 and not (whole and options) else (),
                extra=raw.extra,
            )
            for number, (raw, row, given) in enumerate(zip(self.raws, texts, answers, strict=True))
        )
        return Table(problems, fields, answer, there, kind, tuple(self.notes))

    def _fields(self) -> tuple[str, ...]:
        made: list[str] = []
        for number, path in enumerate(self.columns.inputs):
            given = self.columns.fields[number] if self.columns.fields else None
            taken = {*made, *(each for each in self.columns.inputs if each != path)}
            made.append(given or field_name(path, taken))
            if made[-1] != path:
                self.notes.append(f"column {path} is the field {made[-1]}")
        return tuple(made)

    def _tell_empty(self) -> None:
        for number, name in enumerate(self.columns.inputs):
            empty = [raw.where for raw in self.raws if is_missing(raw.inputs[number])]
            if empty:
                what = "row has" if len(empty) == 1 else "rows have"
                self.notes.append(f"{len(empty)} {what} no {name} (the first: {empty[0]}): it is an empty text there")

    def _texts(self) -> list[list[str]]:
        """Each row's inputs as texts; of chats, what they ask."""
        counts: Counter[str] = Counter()
        texts = []
        for raw in self.raws:
            row = []
            for name, value in zip(self.columns.inputs, raw.inputs, strict=True):
                try:
                    found = chat(value)
                except Unshowable as error:
                    mend = "Write what is to be asked as text, or leave the row out of the file."
                    raise DataError("inputs", f"{raw.where}: column {name!r}: {error}", mend) from None
                row.append(as_text(value) if found is None else found.text)
                if found is not None:
                    counts["chats"] += 1
                    counts.update(part for part in ("system", "turns", "dropped") if getattr(found, part))
                elif isinstance(value, dict | list):
                    counts[f"json {name}"] += 1
            texts.append(row)
        self._tell_texts(counts)
        return texts

    def _tell_texts(self, counts: Counter[str]) -> None:
        said = {
            "chats": "problems are chat messages: shown is what the user says",
            "system": "of them have a system message: it stands above that",
            "turns": "of them have earlier turns of the assistant: all turns are shown, with who speaks",
            "dropped": "of them end with the assistant's message: it is left out, being the answer",
        }
        self.notes += [f"{counts[part]} {words}" for part, words in said.items() if counts[part]]
        self.notes += [
            f"column {name.partition(' ')[2]} holds lists or objects ({count} rows): they are shown as JSON"
            for name, count in counts.items()
            if name.startswith("json ")
        ]

    def _options(self, texts: Sequence[Sequence[str]]) -> list[Options]:
        names = self.columns.options
        made = []
        hashed = len(names) > 1 and self.columns.answer in names
        for raw, row in zip(self.raws, texts, strict=True):
            try:
                found = options_of(raw.options[0]) if len(names) == 1 else in_columns(raw.options)
                made.append(found.in_hashed_order(row[_last(row)]) if hashed else found)
            except NoOptions as error:
                mend = 'Name a column with a list of options, {"text": [...], "label": [...]}, or one column an option.'
                raise DataError("options", f"{raw.where}: column {', '.join(names)!r}: {error}", mend) from None
        if hashed:
            self.notes.append("the right option has a column of its own: the order is by a hash of the problem")
        shown = sum(options.shown_in(row[_last(row)]) for options, row in zip(made, texts, strict=True))
        if shown:
            self.notes.append(f"{shown} problems show their options already: they are not shown twice")
        return made


def _last(texts: Sequence[str]) -> int:
    """The place of the last input that has a text: options stand below it."""
    return max(place for place, text in enumerate(texts) if text)
