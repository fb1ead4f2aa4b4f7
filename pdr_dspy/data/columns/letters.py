"""Which way a table names the right options: by label, letter, text or number. Decided for all rows at once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pdr_dspy.data.columns.choices import LETTERS, Options, as_index, as_label, as_letter, as_option

Reading = Callable[[Options, str], int | None]


def _from_one(options: Options, answer: str) -> int | None:
    return as_index(options, answer, first=1)


_READINGS: dict[str, Reading] = {
    "labels": as_label,
    "letters": as_letter,
    "the options' texts": as_option,
    "numbers that count from 0, as in MMLU": as_index,
    "numbers that count from 1": _from_one,
}
_TEXT = "the options' texts"


class NoLetter(ValueError):
    """An answer that names no option.

    Attributes:
        row: Which one (from 0), or None where it is all of them.
    """

    def __init__(self, problem: str, row: int | None = None) -> None:
        self.row = row
        super().__init__(problem)


def as_letters(options: Sequence[Options], answers: Sequence[str]) -> tuple[list[str], str]:
    """The letters of the right options, and how they are named in the table.

    Args:
        options, answers: Of each row.

    Raises:
        NoLetter: an answer names no option, or all of them can be read in two ways that disagree.
    """
    rows = list(zip(options, answers, strict=True))
    fitting = {}
    for name, reading in _READINGS.items():
        found = [reading(offered, answer.strip()) for offered, answer in rows]
        places = [place for place in found if place is not None]
        if len(places) == len(rows):
            fitting[name] = places
    if fitting:
        name, places = next(iter(fitting.items()))
        for other in (_TEXT, "numbers that count from 0, as in MMLU"):
            # Numbers that count from 1 are given up for those from 0; what is said twice with one meaning is no matter.
            if name in ("letters", _TEXT) and other in fitting and fitting[other] != places:
                raise NoLetter(f"the answers can be {name} or {other}, and that makes a difference")
        return [LETTERS[place] for place in places], name
    letters = []
    for row, (offered, answer) in enumerate(rows):
        ways = (reading(offered, answer.strip()) for reading in (as_label, as_letter, as_option))
        place = next((place for place in ways if place is not None), None)
        if place is None:
            raise NoLetter(f"the answer {answer!r} is none of the {len(offered.texts)} options", row)
        letters.append(LETTERS[place])
    return letters, "letters and texts, as the row has them"
