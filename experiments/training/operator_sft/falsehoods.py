"""False claims as real drafts and workspaces make them: nearly all of them end at the target.

Real false claims are few (4 to 6 % of a workspace's rows) and a glance passes four in five of them. These are made on
the spot, in their proportions, so that there are enough to learn from.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from experiments.reasoner.roles import Claim
from experiments.reasoner.task import Puzzle
from experiments.training.operator_sft.reading import sound
from pdr_dspy.data.worksheets import LARGEST_NUMBER, Step, chains, first_steps, last_step

Steps = tuple[Step, ...]
Maker = Callable[[int, list[Puzzle], random.Random], Steps | None]
TRIES = 40


def misread(index: int, puzzles: list[Puzzle], rng: random.Random) -> Steps | None:
    """The line solved with one number read as another: as its neighbour, as one of another line, as any."""
    line = puzzles[index].line
    numbers = list(line.numbers)
    place = rng.randrange(len(numbers))
    sheet = [number for item in puzzles for number in item.line.numbers]
    drawn = rng.random()
    other = rng.choice(numbers if drawn < 0.5 else sheet) if drawn < 0.8 else rng.randint(1, LARGEST_NUMBER)
    if other == numbers[place]:
        return None
    numbers[place] = other
    return _solved(tuple(numbers), line.target, rng)


def _solved(numbers: tuple[int, ...], target: int, rng: random.Random) -> Steps | None:
    """Steps that reach the target with these numbers, if there are any."""
    begun: list[tuple[Steps, int]]
    if len(numbers) == 3:
        begun = [((step,), rest) for step, rest in first_steps((numbers[0], numbers[1], numbers[2]))]
    else:
        begun = [(pair, numbers[3]) for pair in chains(numbers)]
    ends = [(steps, last_step(steps[-1].result, rest, target)) for steps, rest in begun]
    found = [(*steps, last) for steps, last in ends if last is not None]
    return rng.choice(found) if found else None


def bent(index: int, puzzles: list[Puzzle], rng: random.Random) -> Steps:
    """A try that leads nowhere whose last result, or one before it, is made to fit."""
    puzzle = puzzles[index]
    place = rng.choice([place for place in range(len(puzzle.tries)) if place != puzzle.won] or [puzzle.won])
    item = puzzle.tries[place]
    wanted = [value for value in range(1, 100) if last_step(value, item.rest, puzzle.line.target)]
    if wanted and rng.random() < 0.5:
        value = min(wanted, key=lambda each: abs(each - item.value) + rng.random())
        last = last_step(value, item.rest, puzzle.line.target)
        assert last is not None
        return (*item.steps[:-1], replace(item.steps[-1], result=value), last)
    return (*item.steps, replace(puzzle.miss(place), result=puzzle.line.target))


def spliced(index: int, puzzles: list[Puzzle], rng: random.Random) -> Steps:
    """The beginning of a try and the end of the solution: rows of two drafts run together."""
    puzzle = puzzles[index]
    item = rng.choice(puzzle.tries)
    cut = rng.randint(1, len(item.steps))
    return (*item.steps[:cut], *puzzle.solution[cut:])


def beside(index: int, puzzles: list[Puzzle], rng: random.Random) -> Steps:
    """Sound arithmetic that ends beside the target."""
    puzzle = puzzles[index]
    place = rng.randrange(len(puzzle.tries))
    return (*puzzle.tries[place].steps, puzzle.miss(place))


def elsewhere(index: int, puzzles: list[Puzzle], rng: random.Random) -> Steps:
    """The solution of another line."""
    return rng.choice(puzzles).solution


KINDS: tuple[tuple[Maker, float], ...] = (
    (misread, 0.45),
    (bent, 0.2),
    (spliced, 0.2),
    (beside, 0.1),
    (elsewhere, 0.05),
)


def false_claim(index: int, puzzles: list[Puzzle], rng: random.Random) -> Claim:
    """A false claim about a line; what comes out right by chance is drawn anew."""
    makers, shares = zip(*KINDS, strict=True)
    maker = rng.choices(makers, shares)[0]
    # Few misread numbers lead to the target.
    for each in [maker] * TRIES + [bent] * TRIES:
        steps = each(index, puzzles, rng)
        if steps is not None and not sound(puzzles[index].line, steps):
            return Claim(index, steps, False)
    last = puzzles[index].last
    return Claim(index, (*puzzles[index].solution[:-1], replace(last, result=last.result % 99 + 1)), False)
