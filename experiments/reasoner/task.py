"""Lines of a worksheet as the training data needs them: every try, the winning one, and the texts of a solution.

The rules and the checker are the library's (`pdr_dspy.data.worksheets`); this adds only what a teacher knows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

from pdr_dspy.data.worksheets import (
    FOUR_SHARE,
    LABELS,
    Line,
    Split,
    Step,
    all_lines,
    chains,
    expression,
    first_steps,
    last_step,
    long_line,
    pair_steps,
)


@dataclass(frozen=True)
class Try:
    """All steps but the last.

    Attributes:
        steps: One step of a line of three numbers, two of a line of four (taken from left to right).
        rest: The number that is left over.
    """

    steps: tuple[Step, ...]
    rest: int

    @property
    def value(self) -> int:
        """What the steps make."""
        return self.steps[-1].result


@dataclass(frozen=True)
class Puzzle:
    """A line with its solution.

    Attributes:
        line: The puzzle.
        tries: Every try.
        won: The place of the one try that can be finished.
        last: The step that finishes it.
    """

    line: Line
    tries: tuple[Try, ...]
    won: int
    last: Step

    @property
    def solution(self) -> tuple[Step, ...]:
        """All steps to the target."""
        return (*self.tries[self.won].steps, self.last)

    def miss(self, place: int) -> Step:
        """For a try that leads nowhere, the finishing step that comes nearest to the target."""
        item = self.tries[place]
        found = pair_steps(item.value, item.rest)
        return min(found, key=lambda last: (abs(last.result - self.line.target), last.result))


def workings(steps: tuple[Step, ...]) -> str:
    """`7 * 4 = 28, 28 + 13 = 41`."""
    return ", ".join(map(str, steps))


def answer(steps: tuple[Step, ...]) -> str:
    """`(7 * 4) + 13`."""
    return expression(*steps)


@lru_cache(maxsize=200_000)
def puzzle(line: Line) -> Puzzle:
    """The line with its solution worked out (three numbers in any order, four in the line's order).

    Raises:
        ValueError: not exactly one try can be finished.
    """
    if len(line.numbers) == 3:
        a, b, c = line.numbers
        tries = tuple(Try((step,), rest) for step, rest in first_steps((a, b, c)))
    else:
        tries = tuple(Try(pair, line.numbers[3]) for pair in chains(line.numbers))
    ends = [(place, last_step(item.value, item.rest, line.target)) for place, item in enumerate(tries)]
    won = [(place, last) for place, last in ends if last is not None]
    if len(won) != 1:
        raise ValueError(f"{line} has {len(won)} solutions")
    return Puzzle(line, tries, won[0][0], won[0][1])


def draw(count: int, rng: random.Random, split: Split = "train") -> list[Puzzle]:
    """`count` puzzles of a split, mixed as worksheets are, the numbers of short ones in a random order."""
    pool = all_lines(split)
    found = []
    for _ in range(count):
        if rng.random() < FOUR_SHARE:
            found.append(puzzle(long_line(split, rng)))
            continue
        line = pool[int(rng.random() * len(pool))]
        numbers = list(line.numbers)
        rng.shuffle(numbers)
        found.append(puzzle(Line(tuple(numbers), line.target)))
    return found


def label(index: int) -> str:
    """The label of the line at `index` (0 is A)."""
    return LABELS[index]
