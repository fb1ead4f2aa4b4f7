"""The searcher whose thinking the reasoner learns, token by token, with a loss weight each.

A line is taken up by saying it again (`A 41 from 13 7 4`), so that its numbers stand near. A try is `A 13 - 7 = 6 4 10
2 24 41 no`: all steps but the last, the number left over, what the two can make (sum, difference, product, quotient, as
far as they are whole and below 100), the target, and whether it is among them: a comparison of neighbours, like the
check that follows an `ok` (the last step, its result, the target again, and ` .` or ` bad`). The tries of a line have
an order; the searcher enters it anywhere and goes round, and it starts at a random line, so that independent drafts
differ. A solved line is said once more as the solution will say it.

A share of its verdicts is deliberately false: the model sees how to recover (after a false `ok` by its own arithmetic,
after a false `no` by taking the line up once more and going round again), but the false verdict itself carries no loss.

Claims of a workspace are checked before the search: at a glance (`A 41 41 ok`: the result claimed, the target) or by
working them out again (`A 7 * 4 = 28 28 + 13 = 41 41 ok`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from experiments.reasoner.task import Puzzle, Try, label
from pdr_dspy.data.worksheets import Step, pair_steps

Piece = tuple[str, float]
"""One token's text and its loss weight."""

FREE, NEXT, RESULT, OK, NO, CHECK, PLAIN, COPY, MISS = 0.5, 1.5, 1.5, 3.0, 1.5, 3.0, 0.3, 1.0, 0.4
FALSE_OK, FALSE_NO = 0.04, 0.08
BRIEF_TRIES = 3

Check = Literal["glance", "full"]


@dataclass(frozen=True)
class Claimed:
    """A claim of the workspace to be checked.

    Attributes:
        index: Its line.
        steps: What it says.
        check: How to check it.
        right: What an exact checker says of it; None: what the check shows decides.
    """

    index: int
    steps: tuple[Step, ...]
    check: Check
    right: bool | None = None


@dataclass
class Trace:
    """Thinking so far.

    Attributes:
        pieces: Its tokens.
        accepted: For each line that is solved, the steps that solve it (of a claim: as claimed) and the number of
            tokens after which it was.
        finished: Whether the searcher stopped by itself.
    """

    pieces: list[Piece] = field(default_factory=list)
    accepted: dict[int, tuple[tuple[Step, ...], int]] = field(default_factory=dict)
    finished: bool = False


def _step(pieces: list[Piece], step: Step, weight: float, *, result: int | None = None) -> None:
    pieces += [
        (f" {step.left}", weight),
        (f" {step.op}", weight),
        (f" {step.right}", weight),
        (" =", PLAIN),
        (f" {step.result if result is None else result}", RESULT),
    ]


def _take_up(pieces: list[Piece], index: int, puzzle: Puzzle, choice: float) -> None:
    pieces += [(f"\n{label(index)}", choice), (f" {puzzle.line.target}", COPY), (" from", PLAIN)]
    pieces += [(f" {number}", COPY) for number in puzzle.line.numbers]


def _try(pieces: list[Piece], index: int, item: Try, target: int, weight: float) -> None:
    pieces.append((f"\n{label(index)}", COPY))
    for step in item.steps:
        _step(pieces, step, weight)
    pieces.append((f" {item.rest}", COPY))
    pieces += [(f" {last.result}", RESULT) for last in pair_steps(item.value, item.rest)]
    pieces.append((f" {target}", COPY))


def _finish(pieces: list[Piece], item: Try, last: Step, target: int, weight: float, *, recheck: bool) -> None:
    if recheck:
        for step in item.steps:
            _step(pieces, step, COPY)
    _step(pieces, last, weight)
    pieces.append((f" {target}", COPY))


def true_result(step: Step) -> int:
    """What a claimed step really makes."""
    a, b = step.left, step.right
    return {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[step.op]


def _check(trace: Trace, claim: Claimed, puzzle: Puzzle) -> None:
    pieces, target = trace.pieces, puzzle.line.target
    pieces.append((f"\n{label(claim.index)}", CHECK))
    result = claim.steps[-1].result
    if claim.check == "full":
        for step in claim.steps:
            result = true_result(step)
            _step(pieces, step, COPY, result=result)
    else:
        pieces.append((f" {result}", COPY))
    passes = result == target if claim.right is None else claim.right
    pieces += [(f" {target}", COPY), (" ok" if passes else " bad", CHECK)]
    if passes:
        trace.accepted[claim.index] = (claim.steps, len(pieces))


def search(
    puzzles: list[Puzzle],
    rng: random.Random,
    most: int,
    *,
    claims: Sequence[Claimed] = (),
    trusted: dict[int, tuple[Step, ...]] | None = None,
    style: str = "default",
    first: int | None = None,
) -> Trace:
    """Checks the claims, then thinks about the open lines until all are solved or `most` tokens are used.

    Args:
        puzzles: The worksheet.
        rng: Chance.
        most: Tokens after which the searcher is cut (the trace may then be longer; cut it).
        claims: Claims of the workspace in order; a line's later claims are looked at only if the earlier ones fail.
        trusted: Claims taken over without a check.
        style: A prompt id: `brief` gives a line three tries in one pass, `checking` repeats the first steps before it
            accepts, `from_the_last` starts at the last line and goes backwards.
        first: The line to begin with, instead of a random one.
    """
    trace = Trace()
    trace.accepted = {index: (steps, 0) for index, steps in (trusted or {}).items()}
    for claim in claims:
        if claim.index not in trace.accepted:
            _check(trace, claim, puzzles[claim.index])
    count, pieces = len(puzzles), trace.pieces
    start = count - 1 if style == "from_the_last" else int(rng.random() * count)
    start = start if first is None else first
    stride = -1 if style == "from_the_last" else 1
    # The first line of a draft is a free choice; which one follows is not.
    choice = COPY if not pieces and not trace.accepted else CHECK
    for index in ((start + stride * i) % count for i in range(count)):
        if index in trace.accepted:
            continue
        if len(pieces) >= most:
            return trace
        _take_up(pieces, index, puzzles[index], choice)
        choice = CHECK
        _work(trace, index, puzzles[index], rng, most, style)
    trace.finished = len(pieces) <= most and (style == "brief" or len(trace.accepted) == count)
    return trace


def _settle(pieces: list[Piece], index: int, steps: tuple[Step, ...]) -> None:
    """The solved line as the solution will say it, so that writing the solution is copying what follows a label."""
    pieces.append((f"\n{label(index)}:", COPY))
    for place, step in enumerate(steps):
        if place:
            pieces.append((",", PLAIN))
        _step(pieces, step, COPY)


def _work(trace: Trace, index: int, puzzle: Puzzle, rng: random.Random, most: int, style: str) -> None:
    """Tries of one line until it is solved (`brief`: three of them)."""
    pieces, target, recheck = trace.pieces, puzzle.line.target, style == "checking"
    start, tries = int(rng.random() * len(puzzle.tries)), 0
    while len(pieces) < most and not (style == "brief" and tries == BRIEF_TRIES):
        if tries and tries % len(puzzle.tries) == 0:
            _take_up(pieces, index, puzzle, CHECK)
        place = (start + tries) % len(puzzle.tries)
        item = puzzle.tries[place]
        _try(pieces, index, item, target, NEXT if tries else FREE)
        tries += 1
        if place == puzzle.won:
            if rng.random() < FALSE_NO:
                pieces.append((" no", 0.0))
                continue
            pieces.append((" ok", OK))
            _finish(pieces, item, puzzle.last, target, COPY, recheck=recheck)
            pieces.append((" .", CHECK))
            _settle(pieces, index, puzzle.solution)
            trace.accepted[index] = (puzzle.solution, len(pieces))
            return
        if rng.random() < FALSE_OK:
            pieces.append((" ok", 0.0))
            _finish(pieces, item, puzzle.miss(place), target, MISS, recheck=recheck)
            pieces.append((" bad", CHECK))
        else:
            pieces.append((" no", NO))
