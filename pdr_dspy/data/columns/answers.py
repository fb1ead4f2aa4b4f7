"""The reference answers of all rows: what is taken out of cells, what several mean, which letters name options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pdr_dspy.data.cells import is_missing
from pdr_dspy.data.columns.choices import LETTERS, Options, as_option
from pdr_dspy.data.columns.columns import Columns
from pdr_dspy.data.columns.letters import NoLetter, as_letters, separate
from pdr_dspy.data.columns.raw import Raw
from pdr_dspy.data.columns.references import Several, listed, meaning, parts, with_points, worked
from pdr_dspy.errors import DataError


@dataclass
class Answers:
    """Makes each row's answers.

    Attributes:
        columns: Which columns were read.
        raws: The rows.
        decimal_commas: Whether numbers may be written as 3,5.
        notes: What was understood, in sentences.
    """

    columns: Columns
    raws: Sequence[Raw]
    decimal_commas: bool = False
    notes: list[str] = field(default_factory=list)

    def read(
        self, options: Sequence[Options] | None, several: Several | None
    ) -> tuple[list[tuple[str, ...]], Several | None]:
        """Each row's answers, and what several mean.

        Args:
            options: Each row's options, where there are such.
            several: What several mean, where that was said.

        Raises:
            DataError: an answer that names no option.
        """
        values = [raw.answer for raw in self.raws]
        without = [raw.where for raw in self.raws if raw.answer is None]
        if without and self.columns.answer is not None and len(without) < len(values):
            what = "row has" if len(without) == 1 else "rows have"
            self.notes.append(f"{len(without)} {what} no answer (the first: {without[0]}): the grader goes without")
        given = [() if value is None else parts(value) for value in values]
        self._tell_empty(values)
        if options is not None:
            given = self._letters(options, [tuple(each for part in row for each in listed(part)) for row in given])
        elif all(len(answers) == 1 for answers in given):
            given = self._single([answers[0] for answers in given])
        # Of options several right ones are all to be named, as where a box can be ticked for each.
        kind = meaning(given) if options is None else "all" if any(len(each) > 1 for each in given) else None
        if kind is not None:
            what, other = ("all of them are wanted", "any") if kind == "all" else ("any of them is right", "all")
            if several is None:
                self.notes.append(f"a problem has several answers: {what} (otherwise say --grader {other})")
            kind = several or kind
        return given, kind

    def _tell_empty(self, values: Sequence[object]) -> None:
        holding = [
            raw.where
            for raw, value in zip(self.raws, values, strict=True)
            if isinstance(value, list) and any(map(is_missing, value)) and not all(map(is_missing, value))
        ]
        if holding:
            what = "list" if len(holding) == 1 else "lists"
            self.notes.append(f"{len(holding)} {what} of answers hold empty ones, left out (the first: {holding[0]})")

    def _single(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """The answers of rows with one cell of text each."""
        name = self.columns.answer
        lists = [listed(text) for text in texts]
        if all(text.lstrip()[:1] == "[" and found != (text,) for text, found in zip(texts, lists, strict=True)):
            self.notes.append(f"column {name} holds lists of texts, written as Python or JSON does")
            return lists
        found = worked(texts)
        if found is not None:
            without = [self.raws[row].where for row in found.without]
            if not found.taken:
                these = f"{len(texts) - len(without)} of {len(texts)} rows have {found.mark} in column {name}"
                self.notes.append(f"{these}, {without[0]} has not: nothing is taken out, whole texts are the answers")
            elif without:
                whole = f"{len(without)} of {len(texts)} rows have none (the first: {without[0]})"
                self.notes.append(f"the answers are {found.how} in column {name}; {whole}: their whole text is it")
            else:
                self.notes.append(f"the answers are {found.how} in column {name}")
            texts = found.answers
        if self.decimal_commas:
            texts = self._with_points(texts)
        return [(text,) for text in texts]

    def _with_points(self, texts: Sequence[str]) -> Sequence[str]:
        commas = [row for row, text in enumerate(texts) if with_points(text) not in (None, text.strip())]
        if not commas:
            return texts
        first, name = texts[commas[0]].strip(), self.columns.answer
        turned = [with_points(text) for text in texts]
        what = "row of column" if len(commas) == 1 else "rows of column"
        rows = f"{len(commas)} {what} {name} with a comma in a number (the first: {self.raws[commas[0]].where})"
        if None in turned or all(text.strip()[-4:-3] == "," for row, text in enumerate(texts) if row in set(commas)):
            mend = f"for a decimal comma write {with_points(first)}"
            self.notes.append(f"{rows}: {first} is left as it is, which may be read otherwise; {mend}")
            return texts
        read = f"{first} is {turned[commas[0]]} (of two numbers write 3 and 5)"
        self.notes.append(f"{rows}: a decimal comma, where cells are separated by ';': {read}")
        return [text for text in turned if text is not None]

    def _letters(self, options: Sequence[Options], given: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        given = [
            tuple(each for answer in answers for each in separate(offered, answer))
            for offered, answers in zip(options, given, strict=True)
        ]
        rows = [number for number, answers in enumerate(given) for _ in answers]
        flat = [answer for answers in given for answer in answers]
        if not flat:
            return given
        if self.columns.answer in self.columns.options[1:] + self.columns.options[:1] and len(self.columns.options) > 1:
            places = [as_option(options[row], answer) for row, answer in zip(rows, flat, strict=True)]
            letters = [LETTERS[place] if place is not None else "" for place in places]
            if "" in letters:
                where = self.raws[rows[letters.index("")]].where
                raise DataError("options", f"{where}: the right option is there twice", "Give each option once.")
        else:
            try:
                letters, way = as_letters([options[row] for row in rows], flat)
            except NoLetter as error:
                where = self.raws[0 if error.row is None else rows[error.row]].where
                mend = "Write the right option's letter (A for the first) in every row, of several all: A,C."
                raise DataError("answer", f"{where}: {error}", mend) from None
            self.notes.append(f"the right options are named by {way} in column {self.columns.answer}")
        turned = iter(letters)
        return [tuple(dict.fromkeys(next(turned) for _ in answers)) for answers in given]
