"""One problem of a data set: what a program is given and what its answer is graded against. Knows no data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
        id: Unique and stable within its data set.
        inputs: The program's input fields by name.
        answer: The reference answer, or None where a checker decides from the inputs alone.
        options: Of a multiple-choice problem, in order: the first is A. Empty: no choice.
        answers: Where there are several: each of them right (`answer` is the first), or all of them wanted (`answer` is
            all of them in one text). Empty: `answer` alone is right.
        extra: What a grader or a report may want beside them (level, subject, number of lines, ...).
    """

    id: str
    inputs: dict[str, str]
    answer: str | None = None
    options: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def right(self) -> tuple[str, ...]:
        """The reference answers of which each alone is right."""
        if self.answer is None:
            return ()
        return self.answers if self.answers[:1] == (self.answer,) else (self.answer,)

    def option(self, letter: str) -> str | None:
        """The text of the option that a capital letter names; None where it names none."""
        place = ord(letter) - ord("A") if len(letter) == 1 else -1
        return self.options[place] if 0 <= place < len(self.options) else None
