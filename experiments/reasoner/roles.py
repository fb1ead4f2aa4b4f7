"""The other texts of the roles: claims of simulated drafts, workspaces, and the completions that belong to them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from experiments.reasoner.task import Puzzle, label
from experiments.reasoner.templates import COMPLETED, marker
from experiments.reasoner.traces import CHECK, COPY, PLAIN, Piece
from pdr_dspy.data.worksheets import Step, expression
from pdr_dspy.modules.signatures import render_draft

WRONG_CLAIMS = 0.12
WRONG_NOTES = 0.04
NONE = "none"
_LINES = re.compile(r"\n| (?=[A-H]: )")
_PREFIX = re.compile(r"^(\d+\. )?answer: ")
_NUMBERS = re.compile(r" ?\d+| ?[-+*/()=,]")


@dataclass(frozen=True)
class Claim:
    """What a draft says of a line."""

    index: int
    first: Step
    last: Step
    right: bool

    @property
    def workings(self) -> str:
        """`A: 7 * 4 = 28, 28 + 13 = 41`."""
        return f"{label(self.index)}: {self.first}, {self.last}"

    @property
    def answer(self) -> str:
        """`A: (7 * 4) + 13`."""
        return f"{label(self.index)}: {expression(self.first, self.last)}"


def claim(index: int, puzzle: Puzzle) -> Claim:
    """The right claim about a line."""
    return Claim(index, puzzle.first, puzzle.last, True)


def wrong_claim(index: int, puzzle: Puzzle, rng: random.Random) -> Claim:
    """A claim with a mistake as a small model makes them: sound arithmetic that ends beside the target."""
    wrong = [place for place, (step, _) in enumerate(puzzle.tries) if step != puzzle.first]
    chosen = rng.choice(wrong)
    return Claim(index, puzzle.tries[chosen][0], puzzle.misses[chosen], False)


def claims_of(lines: list[int], puzzles: list[Puzzle], rng: random.Random, wrong: float = WRONG_CLAIMS) -> list[Claim]:
    """Claims about some lines in order, a share of them wrong."""
    return [
        wrong_claim(index, puzzles[index], rng) if rng.random() < wrong else claim(index, puzzles[index])
        for index in sorted(lines)
    ]


def simulated_draft(puzzles: list[Puzzle], rng: random.Random) -> list[Claim]:
    """The claims of a draft: a few neighbouring lines from a random start, now and then a wrong one."""
    count = len(puzzles)
    draw = rng.random()
    solved = 0 if draw < 0.18 else 1 if draw < 0.6 else 2 if draw < 0.85 else rng.randint(0, count)
    start = rng.randrange(count)
    return claims_of([(start + offset) % count for offset in range(min(solved, count))], puzzles, rng)


def draft_text(claims: list[Claim], *, answer_only: bool = False) -> str:
    """A draft as the library renders it."""
    solution = "\n".join(item.workings for item in claims) or NONE
    answer = "\n".join(item.answer for item in claims) or NONE
    return render_draft({"answer": answer}, "" if answer_only else solution)


def right_lines(text: str, puzzles: list[Puzzle]) -> frozenset[int]:
    """The lines whose right workings or right answer stand in a (possibly cut) text."""
    lines = {_PREFIX.sub("", line) for line in _LINES.split(text)}
    return frozenset(
        index
        for index, item in enumerate(puzzles)
        if f"{label(index)}: {item.workings}" in lines or f"{label(index)}: {item.answer}" in lines
    )


def _row(index: int, text: str, *, first: bool) -> list[Piece]:
    name = f"{label(index)}:"
    return [(name if first else f"\n{name}", CHECK), *((token, COPY) for token in _NUMBERS.findall(text))]


def _rows(rows: list[tuple[int, str]]) -> list[Piece]:
    if not rows:
        return [(NONE, COPY)]
    return [piece for i, (index, text) in enumerate(rows) for piece in _row(index, text, first=i == 0)]


def solution_pieces(solved: list[int], puzzles: list[Puzzle]) -> list[Piece]:
    """What stands after the thinking: workings and answers of the solved lines, in the lines' order."""
    workings = _rows([(index, f" {puzzles[index].workings}") for index in solved])
    answers = _rows([(index, f" {puzzles[index].answer}") for index in solved])
    return [
        (marker("solution"), PLAIN),
        *workings,
        (f"\n\n{marker('answer')}", COPY),
        *answers,
        (COMPLETED, COPY),
    ]


def workspace_pieces(solved: list[int], still_open: list[int], puzzles: list[Puzzle], limit: int) -> list[Piece]:
    """The distilled workspace in at most `limit` tokens: solved lines, then the names of open ones."""
    pieces: list[Piece] = []
    for index in solved:
        row = _row(index, f" {puzzles[index].workings}", first=not pieces)
        if len(pieces) + len(row) > limit:
            break
        pieces += row
    else:
        for index in still_open:
            if len(pieces) + 2 > limit:
                break
            name = f"{label(index)}:"
            pieces += [(name if not pieces else f"\n{name}", COPY), (" open", COPY)]
    return pieces or [(NONE, COPY)]
