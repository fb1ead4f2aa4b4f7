"""Lines of a worksheet as the training data needs them: every first step, the winning one, and the texts of a solution.

The rules and the checker are the library's (`pdr_dspy.data.worksheets`); this adds only what a teacher knows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from pdr_dspy.data.worksheets import LABELS, Line, Split, Step, all_lines, expression, first_steps, last_step, steps


@dataclass(frozen=True)
class Puzzle:
    """A line with its solution.

    Attributes:
        line: The puzzle.
        tries: Every first step with the number it leaves over.
        first: The one first step that can be finished.
        last: The step that finishes it.
        misses: For each try, the finishing step that comes nearest to the target.
    """

    line: Line
    tries: tuple[tuple[Step, int], ...]
    first: Step
    last: Step
    misses: tuple[Step, ...]

    @property
    def workings(self) -> str:
        """`7 * 4 = 28, 28 + 13 = 41`."""
        return f"{self.first}, {self.last}"

    @property
    def answer(self) -> str:
        """`(7 * 4) + 13`."""
        return expression(self.first, self.last)


@cache
def puzzle(line: Line) -> Puzzle:
    """The line with its solution worked out (numbers in any order)."""
    a, b, c = line.numbers
    tries = first_steps((a, b, c))
    won = [(step, last) for step, rest in tries if (last := last_step(step.result, rest, line.target)) is not None]
    misses = tuple(
        min(steps(step.result, rest), key=lambda last: (abs(last.result - line.target), last.result))
        for step, rest in tries
    )
    return Puzzle(line, tries, won[0][0], won[0][1], misses)


def draw(count: int, rng: random.Random, split: Split = "train") -> list[Puzzle]:
    """`count` puzzles of a split, the numbers of each in a random order."""
    pool = all_lines(split)
    found = []
    for _ in range(count):
        line = pool[int(rng.random() * len(pool))]
        numbers = list(line.numbers)
        rng.shuffle(numbers)
        found.append(puzzle(Line(tuple(numbers), line.target)))
    return found


def label(index: int) -> str:
    """The label of the line at `index` (0 is A)."""
    return LABELS[index]
