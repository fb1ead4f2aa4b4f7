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

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement
from typing import Any, Literal

import dspy

from pdr_dspy.data.problem import Problem
from pdr_dspy.errors import InputError

Split = Literal["train", "search", "report"]
SPLITS: tuple[Split, ...] = ("train", "search", "report")

LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LARGEST_NUMBER = 25
LARGEST_THIRD = 50
"""One number of a line of three may be as large as this."""
LARGEST_RESULT = 99
FOUR_SHARE = 0.5
"""The share of lines with four numbers."""


class Worksheet(dspy.Signature):
    """Solve each line: reach the number after `make` with the others, each used once, by + - * and /. Answer one line each, like `A: (7 * 4) + 13`."""  # noqa: E501

    problem: str = dspy.InputField()
    answer: str = dspy.OutputField()


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


_PUZZLE = re.compile(r"([A-Z]):\s*make\s+(\d{1,9})\s+from\s+(\d{1,9}(?:\s*,\s*\d{1,9})*)")
_LABEL = re.compile(r"([A-Z]):")
_RESULT = re.compile(r"-?\d+")
_BELOW = re.compile(r"=\s*-?\d+")
_TOKEN = re.compile(r"\s*(?:(\d{1,9})|([-+*/()]))")
_DEEPEST = 50
_LONGEST = 1000
"""Characters of an expression; no line has so many numbers."""
_LONGEST_RESULT = 18
"""Characters of a result that is read as a number."""


def parse_problem(text: str) -> dict[str, Line]:
    """The worksheet's lines by label."""
    return {
        label: Line(tuple(int(number) for number in numbers.split(",")), int(target))
        for line in text.split("\n")
        if (found := _PUZZLE.fullmatch(line.strip())) is not None
        for label, target, numbers in [found.groups()]
    }


def answered(text: str) -> list[tuple[str, str, str]]:
    """What an answer writes behind the labels, in order: label, expression, and the result beside it ("": none).

    `A: (7 * 4) + 13 = 41`; the expression, and `= 41`, may stand on lines of their own. What has anything behind the
    result is no answer. Linear in the text.
    """
    lines = [line for each in text.split("\n") if (line := each.strip())]
    found: list[tuple[str, str, str]] = []
    for i, line in enumerate(lines):
        if (label := _LABEL.match(line)) is None:
            continue
        rest, behind = line[label.end() :].strip(), i + 1
        if not rest and behind < len(lines) and not _LABEL.match(lines[behind]):
            rest, behind = lines[behind], behind + 1
        if "=" not in rest and behind < len(lines) and _BELOW.fullmatch(lines[behind]):
            rest += lines[behind]
        formula, equals, result = (part.strip() for part in rest.partition("="))
        if equals and not result and behind < len(lines):
            result = lines[behind]
        if formula and (not equals or _RESULT.fullmatch(result)):
            found.append((label[1], formula, result))
    return found


def lines_solved(problem_text: str, answer_text: str) -> int:
    """How many of the worksheet's lines the answer solves (`A: expression` a line; `= result` may follow).

    A label answered more than once counts only where every answer holds.
    """
    answers: dict[str, list[tuple[str, str]]] = {}
    for label, formula, result in answered(answer_text):
        answers.setdefault(label, []).append((formula, result))
    return sum(
        bool(answers.get(label)) and all(_holds(line, *answer) for answer in answers[label])
        for label, line in parse_problem(problem_text).items()
    )


def worksheet_correct(problem_text: str, answer_text: str) -> bool:
    """Whether the answer solves every line of the worksheet."""
    lines = len(parse_problem(problem_text))
    return lines > 0 and lines_solved(problem_text, answer_text) == lines


def same_worksheet(first: str, second: str) -> bool:
    """Whether two answers solve a worksheet alike: each line reaches the same number with the same numbers.

    So all right answers are the same, and none of them is the same as a wrong one.
    """
    one, other = _said(first), _said(second)
    return one == other if one or other else first.split() == second.split()


def _said(answer_text: str) -> dict[str, set[tuple[Any, ...]]]:
    """What an answer says of each line: value and numbers of its expressions, with the result that stands beside."""
    said: dict[str, set[tuple[Any, ...]]] = {}
    for label, formula, result in answered(answer_text):
        evaluated = evaluate(formula)
        if evaluated is None:
            said.setdefault(label, set()).add(("".join(formula.split()), result))
        else:
            value, used = evaluated
            # A result that is right adds nothing.
            beside = None if not result or _number(result) == value else _number(result)
            said.setdefault(label, set()).add((value, tuple(sorted(used)), beside))
    return said


def _holds(line: Line, formula: str, result: str) -> bool:
    evaluated = evaluate(formula)
    if evaluated is None or (result and _number(result) != line.target):
        return False
    value, used = evaluated
    return value == line.target and sorted(used) == sorted(line.numbers)


def _number(result: str) -> int | str:
    """A result as a number; as its text where it is longer than any result can be."""
    return int(result) if len(result) <= _LONGEST_RESULT else result


def evaluate(formula: str) -> tuple[Fraction, list[int]] | None:
    """The exact value of an arithmetic expression and the numbers it uses; None where it is not one."""
    if len(formula) > _LONGEST:
        return None
    tokens: list[str] = []
    position, text = 0, formula.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        tokens.append(match.group(1) or match.group(2))
        position = match.end()
    parser = _Parser(tokens)
    try:
        value = parser.sum(0)
    except (_NotAnExpression, ZeroDivisionError):
        return None
    return (value, parser.used) if not parser.tokens else None


class _NotAnExpression(Exception):
    pass


class _Parser:
    """Recursive descent over + - * / and parentheses."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]
        self.used: list[int] = []

    def _next_in(self, operators: str) -> bool:
        return bool(self.tokens) and self.tokens[-1] in operators

    def sum(self, depth: int) -> Fraction:
        value = self.product(depth)
        while self._next_in("+-"):
            sign = 1 if self.tokens.pop() == "+" else -1
            value += sign * self.product(depth)
        return value

    def product(self, depth: int) -> Fraction:
        value = self.atom(depth)
        while self._next_in("*/"):
            divide = self.tokens.pop() == "/"
            factor = self.atom(depth)
            value = value / factor if divide else value * factor
        return value

    def atom(self, depth: int) -> Fraction:
        if not self.tokens or depth > _DEEPEST:
            raise _NotAnExpression
        token = self.tokens.pop()
        if token.isdigit():
            self.used.append(int(token))
            return Fraction(int(token))
        if token == "(":
            value = self.sum(depth + 1)
            if self.tokens and self.tokens.pop() == ")":
                return value
        raise _NotAnExpression
