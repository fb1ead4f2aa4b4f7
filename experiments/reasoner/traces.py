"""The forgetful searcher: the thinking the reasoner learns, token by token, with a loss weight each.

A try is `A 13 - 7 = 6 4 41 no`: a first step, what it makes, the number left over, the target, and whether the two can
make it. (The target is said again in every try so that the verdict depends on its three neighbours alone.) An `ok` is
followed by the finishing step, whose result confirms it (` .`) or refutes it (` bad`). The searcher remembers
only its last two tries of a line and starts at a random line, so that independent drafts differ. A share of its `ok`s
is deliberately false: the model sees how to recover, but the false `ok` itself carries no loss.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from experiments.reasoner.task import Puzzle, label
from pdr_dspy.data.worksheets import Step

Piece = tuple[str, float]
"""One token's text and its loss weight."""

FREE, RESULT, OK, NO, CHECK, PLAIN, COPY, MISS = 0.9, 1.5, 3.0, 1.5, 3.0, 0.3, 1.0, 0.4
FALSE_OK = 0.1
STRAY = 0.12
MEMORY = 2


@dataclass
class Trace:
    """Thinking so far.

    Attributes:
        pieces: Its tokens.
        solved_at: For each line that was solved, the number of tokens after which it was.
        finished: Whether the searcher stopped by itself.
    """

    pieces: list[Piece] = field(default_factory=list)
    solved_at: dict[int, int] = field(default_factory=dict)
    finished: bool = False


def _try(
    pieces: list[Piece], index: int, step: Step, rest: int, target: int, weight: float, choice: float = COPY
) -> None:
    pieces += [
        (f"\n{label(index)}", choice),
        (f" {step.left}", weight),
        (f" {step.op}", weight),
        (f" {step.right}", weight),
        (" =", PLAIN),
        (f" {step.result}", RESULT),
        (f" {rest}", COPY),
        (f" {target}", COPY),
    ]


def _finish(pieces: list[Piece], step: Step, weight: float) -> None:
    pieces += [
        (f" {step.left}", weight),
        (f" {step.op}", weight),
        (f" {step.right}", weight),
        (" =", PLAIN),
        (f" {step.result}", RESULT),
    ]


def _win(trace: Trace, index: int, puzzle: Puzzle, weight: float, *, recheck: bool, choice: float = COPY) -> None:
    pieces = trace.pieces
    rest = puzzle.last.right if puzzle.last.left == puzzle.first.result else puzzle.last.left
    _try(pieces, index, puzzle.first, rest, puzzle.line.target, weight, choice)
    pieces.append((" ok", OK))
    if recheck:
        _finish(pieces, puzzle.first, COPY)
    _finish(pieces, puzzle.last, COPY)
    pieces.append((" .", CHECK))
    trace.solved_at[index] = len(pieces)


def _stray(trace: Trace, index: int, puzzles: list[Puzzle], rng: random.Random) -> None:
    """A try of a line that is settled: a slip (no loss) to be left at once."""
    puzzle = puzzles[index]
    step, rest = rng.choice([(step, rest) for step, rest in puzzle.tries if step != puzzle.first])
    _try(trace.pieces, index, step, rest, puzzle.line.target, FREE, choice=0.0)
    trace.pieces.append((" no", NO))


def search(
    puzzles: list[Puzzle],
    rng: random.Random,
    most: int,
    *,
    claimed: tuple[int, ...] = (),
    settled: frozenset[int] = frozenset(),
    style: str = "default",
) -> Trace:
    """Thinks about the lines that are not settled until all are solved or `most` tokens are used.

    Args:
        puzzles: The worksheet.
        rng: Chance.
        most: Tokens after which the searcher is cut (the trace may then be longer; cut it).
        claimed: Lines of the workspace to verify first (style `checking`).
        settled: Lines that need no work.
        style: A prompt id: `brief` gives a line three tries in one pass, `checking` repeats the first step before it
            accepts, `from_the_last` starts at the last line and goes backwards.
    """
    trace = Trace()
    recheck = style == "checking"
    for index in claimed:
        _win(trace, index, puzzles[index], COPY, recheck=False)
    count = len(puzzles)
    start = count - 1 if style == "from_the_last" else int(rng.random() * count)
    stride = -1 if style == "from_the_last" else 1
    order = [(start + stride * i) % count for i in range(count)]
    for index in order:
        if index in settled:
            continue
        puzzle = puzzles[index]
        if settled and rng.random() < STRAY:
            _stray(trace, rng.choice(sorted(settled)), puzzles, rng)
        recent: list[int] = []
        tries = 0
        while len(trace.pieces) < most and not (style == "brief" and tries == 3):
            # Which line to take up next is what a workspace decides, so it counts; only a first start is free.
            choice = CHECK if tries == 0 and (trace.pieces or settled) else COPY
            tries += 1
            chosen = int(rng.random() * len(puzzle.tries))
            while chosen in recent and len(puzzle.tries) > len(recent):
                chosen = int(rng.random() * len(puzzle.tries))
            recent = [*recent, chosen][-MEMORY:]
            step, rest = puzzle.tries[chosen]
            if step == puzzle.first:
                _win(trace, index, puzzle, FREE, recheck=recheck, choice=choice)
                break
            _try(trace.pieces, index, step, rest, puzzle.line.target, FREE, choice)
            if rng.random() < FALSE_OK:
                trace.pieces.append((" ok", 0.0))
                if recheck:
                    _finish(trace.pieces, step, COPY)
                _finish(trace.pieces, puzzle.misses[chosen], MISS)
                trace.pieces.append((" bad", CHECK))
            else:
                trace.pieces.append((" no", NO))
        if len(trace.pieces) >= most:
            return trace
    trace.finished = True
    return trace
