"""Which way a table names the right options: by label, letter, text or number. Decided for all rows at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pdr_dspy.answers.choices import offered
from pdr_dspy.data.columns.choices import LETTERS, Options, as_index, as_label, as_letter, as_option, with_text

Reading = Callable[[Options, str], int | None]


def _from_one(options: Options, answer: str) -> int | None:
    return as_index(options, answer, first=1)


_TEXT = "the options' texts"
_ZERO = "numbers that count from 0, as in MMLU"
_ONE = "numbers that count from 1"
_EITHER = " (from 1 would fit, too: look at some problems with `python -m pdr_dspy.data`, or write letters)"

_RUN = re.compile(r"[A-Z]{2,}")
_BETWEEN = re.compile(r"\s*(?:[,;&+]\s*(?:and|und|et|y)?|\s(?:and|und|et|y)\s)\s*")

_READINGS: dict[str, Reading] = {
    "labels": as_label,
    "letters": as_letter,
    _TEXT: as_option,
    _ZERO: as_index,
    _ONE: _from_one,
}


class NoLetter(ValueError):
    """An answer that names no option.

    Attributes:
        row: Which one (from 0), or None where it is all of them.
    """

    def __init__(self, problem: str, row: int | None = None) -> None:
        self.row = row
        super().__init__(problem)


def separate(options: Options, answer: str) -> tuple[str, ...]:
    """The options that one answer names: `AC`, `A,C`, `A and C` and `1, 3` name two; one that is an option itself,
    by its label, its letter or its text, names that."""
    text = answer.strip()
    if any(read(options, text) is not None for read in (as_label, as_letter, as_option)):
        return (answer,)
    if _RUN.fullmatch(text) and len(set(text)) == len(text) and offered(text, len(options.texts)):
        return tuple(text)
    found = [part.strip() for part in _BETWEEN.split(text.strip("()[]{} "))]
    same = {name for name, read in _READINGS.items() if all(read(options, part) is not None for part in found)}
    return tuple(found) if len(found) > 1 and same else (answer,)


def as_letters(options: Sequence[Options], answers: Sequence[str]) -> tuple[list[str], str]:
    """The letters of the right options, and how they are named in the table.

    Args:
        options, answers: Of each row.

    Raises:
        NoLetter: an answer names no option, or all of them can be read in two ways that disagree (numbers count from 0
            where they could count from 1, too, and that is told).
    """
    rows = list(zip(options, answers, strict=True))
    fitting = {}
    found = {name: [read(offered, answer.strip()) for offered, answer in rows] for name, read in _READINGS.items()}
    for name, named in found.items():
        places = [place for place in named if place is not None]
        if len(places) == len(rows):
            fitting[name] = places
    if fitting:
        name, places = next(iter(fitting.items()))
        for other in (_TEXT, _ZERO, _ONE):
            # What is said twice with one meaning is no matter, and the table's own labels say it best. Numbers count
            # from 0 as all known data sets' do, where nothing speaks against it: few rows seldom have all of them.
            if name not in ("labels", _ZERO) and other in fitting and fitting[other] != places:
                raise NoLetter(f"the answers can be {name} or {other}, and that makes a difference")
        either = name == _ZERO and _ONE in fitting
        return [LETTERS[place] for place in places], name + _EITHER * either
    mixed = [
        next((place for place in ways if place is not None), None)
        for ways in zip(found["labels"], found["letters"], found[_TEXT], strict=True)
    ]
    wrong = [row for row, place in enumerate(mixed) if place is None]
    if wrong:
        # Of the way that most rows go, so that a row is named that is not as the others are.
        usual = max(found.values(), key=lambda places: sum(place is not None for place in places))
        row = next((row for row in wrong if usual[row] is None), wrong[0])
        raise NoLetter(_why_not(*rows[row]), row)
    return [LETTERS[place] for place in mixed if place is not None], "letters and texts, as the row has them"


def _why_not(offered: Options, answer: str) -> str:
    same = len(with_text(offered, answer))
    if same > 1:
        return f"the answer {answer!r} is the text of {same} options"
    return f"the answer {answer!r} is none of the {len(offered.texts)} options"
