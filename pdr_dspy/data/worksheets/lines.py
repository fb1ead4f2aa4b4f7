"""The lines of worksheets: what a puzzle is, which steps there are, and which split a line belongs to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

Split = Literal["train", "search", "report"]
SPLITS: tuple[Split, ...] = ("train", "search", "report")

LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LARGEST_NUMBER = 25
LARGEST_THIRD = 50
"""One number of a line of three may be as large as this."""
LARGEST_RESULT = 99
FOUR_SHARE = 0.5
"""The share of lines with four numbers."""


@dataclass(frozen=True)
class Step:
    """One operation `left op right = result`, the larger number at the left."""

    left: int
    op: str
    right: int
    result: int

    def __str__(self) -> str:
        return f"{self.left} {self.op} {self.right} = {self.result}"


@dataclass(frozen=True)
class Line:
    """One puzzle: reach `target` with `numbers`, each once."""

    numbers: tuple[int, ...]
    target: int

    def __str__(self) -> str:
        return f"make {self.target} from {', '.join(map(str, self.numbers))}"

    @property
    def split(self) -> Split:
        """The split this line belongs to: 90 % train, 5 % search, 5 % report, by a hash of numbers and target."""
        key = f"{sorted(self.numbers)}>{self.target}"
        bucket = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 100
        return "train" if bucket < 90 else "search" if bucket < 95 else "report"


def steps(first: int, second: int) -> list[Step]:
    """Every operation on two numbers whose result is a whole number from 1 to 99, the larger number at the left."""
    high, low = max(first, second), min(first, second)
    found = [Step(high, "+", low, high + low), Step(high, "-", low, high - low), Step(high, "*", low, high * low)]
    if low > 1 and high % low == 0:
        found.append(Step(high, "/", low, high // low))
    return [step for step in found if 1 <= step.result <= LARGEST_RESULT]


@cache
def first_steps(numbers: tuple[int, int, int]) -> tuple[tuple[Step, int], ...]:
    """Every different first step on three numbers, with the number it leaves over."""
    found: dict[tuple[Step, int], None] = {}
    for rest in range(3):
        left, right = (numbers[i] for i in range(3) if i != rest)
        found.update(dict.fromkeys((step, numbers[rest]) for step in steps(left, right)))
    return tuple(found)


@cache
def pair_steps(first: int, second: int) -> tuple[Step, ...]:
    """`steps`, remembered."""
    return tuple(steps(first, second))


def chains(numbers: tuple[int, ...]) -> tuple[tuple[Step, Step], ...]:
    """Every way to combine the first three of four numbers from left to right."""
    a, b, c, _ = numbers
    return tuple((first, second) for first in pair_steps(a, b) for second in pair_steps(first.result, c))


def last_step(value: int, rest: int, target: int) -> Step | None:
    """The step that makes `target` of two numbers, or None."""
    return next((step for step in steps(value, rest) if step.result == target), None)


def expression(*taken: Step) -> str:
    """Steps that each go on with the result before, as one expression: `((13 - 7) * 4) + 2`."""
    text, value = "", -1
    for place, step in enumerate(taken):
        left, right = str(step.left), str(step.right)
        if place and step.left == value:
            left = f"({text})"
        elif place:
            right = f"({text})"
        text, value = f"{left} {step.op} {right}", step.result
    return text
