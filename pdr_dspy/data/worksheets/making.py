"""Countdown worksheets: problems of any difficulty, made on the spot, with an exact checker.

A worksheet is K independent lines, each `A: make 41 from 13, 7, 4`: reach the number with all the others, each used
once, by + - * and /. K is the difficulty. Steps stay within whole numbers 1..99. A line of three numbers has exactly
one first step that can be finished (for example `7 * 4 = 28`). A line of four is given in an order in which exactly one
choice of operations, taken from left to right, reaches the target (`make 20 from 18, 5, 12, 20`: 18 - 5 = 13,
13 - 12 = 1, 20 * 1 = 20), and about half of the lines are such. The checker itself takes any exact expression.

A stable hash of the line (its numbers as a multiset, and the target) decides its split, so no line of `search` or
`report` occurs in `train`, whatever the seed. Knows nothing of models.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from itertools import combinations_with_replacement

import dspy

from pdr_dspy.data.problem import Problem
from pdr_dspy.data.worksheets.lines import (
    FOUR_SHARE,
    LABELS,
    LARGEST_NUMBER,
    LARGEST_THIRD,
    SPLITS,
    Line,
    Split,
    chains,
    first_steps,
    pair_steps,
    steps,
)
from pdr_dspy.errors import InputError


class Worksheet(dspy.Signature):
    """Solve each line: reach the number after `make` with the others, each used once, by + - * and /. Answer one line each, like `A: (7 * 4) + 13`."""  # noqa: E501

    problem: str = dspy.InputField()
    answer: str = dspy.OutputField()


@cache
def all_lines(split: Split) -> tuple[Line, ...]:
    """Every line of three numbers of a split, numbers in ascending order."""
    found: list[Line] = []
    for numbers in combinations_with_replacement(range(1, LARGEST_THIRD + 1), 3):
        if numbers[1] > LARGEST_NUMBER:
            continue
        reaching: dict[int, int] = {}
        for first, rest in first_steps(numbers):
            for target in {step.result for step in steps(first.result, rest)}:
                reaching[target] = reaching.get(target, 0) + 1
        lines = (Line(numbers, target) for target, ways in sorted(reaching.items()) if ways == 1)
        found.extend(line for line in lines if line.split == split)
    return tuple(found)


def long_line(split: Split, rng: random.Random) -> Line:
    """A random line of four numbers of a split."""
    while True:
        numbers = tuple(rng.randint(1, LARGEST_NUMBER) for _ in range(4))
        reaching: dict[int, int] = {}
        for _, second in chains(numbers):
            for last in pair_steps(second.result, numbers[3]):
                reaching[last.result] = reaching.get(last.result, 0) + 1
        targets = [target for target, ways in sorted(reaching.items()) if ways == 1]
        rng.shuffle(targets)
        for target in targets:
            line = Line(numbers, target)
            if line.split == split:
                return line


def problem_text(lines: list[Line]) -> str:
    """The worksheet as text, a labelled line each."""
    return "\n".join(f"{label}: {line}" for label, line in zip(LABELS, lines, strict=False))


def worksheets(count: int, lines: int = 4, split: Split = "search", seed: int = 0) -> list[Problem]:
    """`count` worksheets of `lines` lines each.

    The same arguments give the same worksheets, and a longer list begins with the shorter one. A line of three numbers
    comes back only after every other one of its split was used; lines of four are drawn anew each time.

    Raises:
        InputError: a count or number of lines out of range, or an unknown split.
    """
    if count < 0:
        raise InputError("count", f"{count} worksheets cannot be made", "Ask for 0 or more.")
    if not 1 <= lines <= len(LABELS):
        raise InputError("lines", f"{lines} lines do not fit on a worksheet", f"Ask for 1 to {len(LABELS)}.")
    if split not in SPLITS:
        raise InputError("split", f"there is no split {split!r}", f"Use one of {list(SPLITS)}.")
    stream = _mixed(split, random.Random(f"worksheets/{split}/{lines}/{seed}"))
    return [
        Problem(
            id=f"worksheet-{split}-{lines}-{seed}-{index}",
            inputs={"problem": problem_text([next(stream) for _ in range(lines)])},
            answer=None,
            extra={"lines": lines, "split": split, "seed": seed},
        )
        for index in range(count)
    ]


def _mixed(split: Split, rng: random.Random) -> Iterator[Line]:
    short = _shuffled(split, rng)
    while True:
        yield long_line(split, rng) if rng.random() < FOUR_SHARE else next(short)


def _shuffled(split: Split, rng: random.Random) -> Iterator[Line]:
    while True:
        pool = list(all_lines(split))
        rng.shuffle(pool)
        for line in pool:
            yield Line(tuple(rng.sample(line.numbers, 3)), line.target)
