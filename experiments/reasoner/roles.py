"""The other texts of the roles: claims of simulated drafts, workspaces, and the completions that belong to them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from experiments.reasoner.task import Puzzle, answer, label, workings
from experiments.reasoner.templates import COMPLETED, marker
from experiments.reasoner.tokenizer import CLOSE
from experiments.reasoner.traces import CHECK, COPY, PLAIN, Piece, Trace
from pdr_dspy.data.worksheets import Step
from pdr_dspy.modules.signatures import render_draft

WRONG_CLAIMS = 0.12
WRONG_NOTES = 0.08
NONE, OPEN, WRONG, MISSING = "none", "open", "wrong", "missing"
_LINES = re.compile(r"\n| (?=[A-H]: )")
_PREFIX = re.compile(r"^(\d+\. )?answer: ")
_NUMBERS = re.compile(r" ?\d+| ?[-+*/()=,]")


@dataclass(frozen=True)
class Claim:
    """What a draft says of a line.

    Attributes:
        index: The line.
        steps: The steps it gives.
        right: Whether they solve the line.
    """

    index: int
    steps: tuple[Step, ...]
    right: bool

    @property
    def workings(self) -> str:
        """`A: 7 * 4 = 28, 28 + 13 = 41`."""
        return f"{label(self.index)}: {workings(self.steps)}"

    @property
    def answer(self) -> str:
        """`A: (7 * 4) + 13`."""
        return f"{label(self.index)}: {answer(self.steps)}"


def claim(index: int, puzzle: Puzzle) -> Claim:
    """The right claim about a line."""
    return Claim(index, puzzle.solution, True)


def wrong_claim(index: int, puzzles: list[Puzzle], rng: random.Random) -> Claim:
    """A claim with a mistake as a small model makes them.

    Mostly sound arithmetic that ends beside the target, with the line's own numbers or with one of another line's
    solutions; now and then a last step whose result is bent to the target.
    """
    puzzle = puzzles[index]
    kind = rng.random()
    others = [item for item in puzzles if item.line.target != puzzle.line.target]
    if kind < 0.25 and others:
        return Claim(index, rng.choice(others).solution, False)
    places = [place for place in range(len(puzzle.tries)) if place != puzzle.won]
    place = rng.choice(places)
    last = puzzle.miss(place)
    if kind > 0.88:
        last = replace(last, result=puzzle.line.target)
    return Claim(index, (*puzzle.tries[place].steps, last), False)


def claims_of(
    lines: Iterable[int], puzzles: list[Puzzle], rng: random.Random, wrong: float = WRONG_CLAIMS
) -> list[Claim]:
    """Claims about some lines in order, a share of them wrong."""
    return [
        wrong_claim(index, puzzles, rng) if rng.random() < wrong else claim(index, puzzles[index])
        for index in sorted(lines)
    ]


def simulated_draft(puzzles: list[Puzzle], rng: random.Random) -> list[Claim]:
    """The claims of a draft: a few neighbouring lines from a random start, now and then a wrong one."""
    count = len(puzzles)
    drawn = rng.random()
    solved = 0 if drawn < 0.18 else 1 if drawn < 0.6 else 2 if drawn < 0.85 else rng.randint(0, count)
    start = rng.randrange(count)
    return claims_of([(start + offset) % count for offset in range(min(solved, count))], puzzles, rng)


def draft_text(claims: list[Claim], *, answer_only: bool = False) -> str:
    """A draft as the library renders it."""
    solution = "\n".join(item.workings for item in claims) or NONE
    answers = "\n".join(item.answer for item in claims) or NONE
    return render_draft({"answer": answers}, "" if answer_only else solution)


def claims_in(text: str, claims: Iterable[Claim]) -> tuple[list[Claim], list[Claim]]:
    """The claims whose workings stand in a (possibly cut) text, and those of which only the answer does.

    In the order of the text, each once.
    """
    known: dict[str, Claim] = {}
    for item in claims:
        known.setdefault(item.workings, item)
        known.setdefault(item.answer, item)
    worked: dict[Claim, None] = {}
    answered: dict[Claim, None] = {}
    for line in _LINES.split(text):
        row = _PREFIX.sub("", line)
        found = known.get(row)
        if found is not None:
            (worked if row == found.workings else answered).setdefault(found)
    return list(worked), [item for item in answered if item not in worked]


def _numbers(text: str, weight: float = COPY) -> list[Piece]:
    return [(token, weight) for token in _NUMBERS.findall(text)]


def _rows(rows: list[tuple[int, list[Piece]]], weight: float = CHECK) -> list[Piece]:
    """Labelled rows; `weight` is the labels'."""
    pieces: list[Piece] = []
    for index, content in rows:
        name = f"{label(index)}:"
        pieces += [(f"\n{name}" if pieces else name, weight), *content]
    return pieces or [(NONE, CHECK)]


def solution_pieces(accepted: dict[int, tuple[Step, ...]], answers: float = COPY) -> list[Piece]:
    """What stands after the thinking: workings and answers of the solved lines, in the lines' order.

    Args:
        accepted: The solved lines' steps.
        answers: Loss weight of the answers' expressions.
    """
    lines = sorted(accepted)
    return [
        (marker("solution"), PLAIN),
        *_rows([(index, _numbers(f" {workings(accepted[index])}")) for index in lines]),
        (f"\n\n{marker('answer')}", CHECK),
        *_rows([(index, _numbers(f" {answer(accepted[index])}", answers)) for index in lines]),
        (COMPLETED, CHECK),
    ]


def workspace_pieces(drafts: list[list[Claim]], puzzles: list[Puzzle], limit: int, style: str) -> list[Piece]:
    """The distilled workspace in at most `limit` tokens.

    A row a line in the lines' order: the workings of a right claim, else `open`. Solved lines come first where there
    is not room for all. `facts_only` leaves the open lines out; `disagreements` says `wrong` where all claims are.
    """
    said = {item.index: False for draft in drafts for item in draft}
    right = {item.index: item for draft in drafts for item in draft if item.right}
    kept: dict[int, list[Piece]] = {}
    room = limit
    for index in sorted(right):
        row = _numbers(f" {workings(right[index].steps)}")
        if len(row) + 1 > room:
            break
        # Whether a line is solved is decided at the first token after its label.
        kept[index] = [(row[0][0], CHECK), *row[1:]]
        room -= len(row) + 1
    if style != "facts_only":
        for index in range(len(puzzles)):
            if index not in right and room >= 2:
                kept[index] = [(f" {WRONG if style == 'disagreements' and index in said else OPEN}", CHECK)]
                room -= 2
    # Without the open lines, which label comes next is a decision; with them it is a rule.
    return _rows(sorted(kept.items()), CHECK if style == "facts_only" else COPY)


def thought_pieces(trace: Trace, cap: int, answers: float = COPY) -> list[Piece]:
    """Thinking, cut and closed at `cap` tokens, and the solution of what is then solved.

    Args:
        trace: The whole thinking.
        cap: Thinking tokens.
        answers: Loss weight of the answers' expressions.
    """
    natural = trace.finished and len(trace.pieces) <= cap
    accepted = {index: steps for index, (steps, at) in trace.accepted.items() if at <= cap}
    return [*trace.pieces[:cap], (CLOSE, COPY if natural else 0.0), *solution_pieces(accepted, answers)]


def analysis_rows(claims: list[Claim], count: int, style: str) -> list[str]:
    """What a draft lacks: a row for each wrong and (unless `errors_only`) missing line; `brief` names one."""
    said = {item.index: item.right for item in claims}
    rows = [
        f"{label(index)}: {WRONG if index in said else MISSING}"
        for index in range(count)
        if not said.get(index) and (index in said or style != "errors_only")
    ]
    if style == "brief":
        wrong = [row for row in rows if row.endswith(WRONG)]
        rows = (wrong or rows)[:1]
    return rows or [NONE]


def analysis_pieces(rows: list[str]) -> list[Piece]:
    """An analysis' rows as pieces."""
    pieces: list[Piece] = []
    for row in rows:
        name, _, word = row.partition(": ")
        start = f"\n{name}:" if pieces else f"{name}:"
        pieces += [(start, CHECK), (f" {word}", CHECK)] if word else [(row, CHECK)]
    return pieces


def pick_pieces(drafts: list[list[Claim]], style: str, count: int) -> list[Piece]:
    """The numbers of the `count` best drafts, counted from 1."""
    pieces: list[Piece] = [(marker("picks"), PLAIN), ("[", PLAIN)]
    for position, index in enumerate(ranked(drafts, style)[:count]):
        pieces += [(str(index + 1), COPY)] if position == 0 else [(",", PLAIN), (f" {index + 1}", COPY)]
    return [*pieces, ("]", COPY), (COMPLETED, COPY)]


def ranked(drafts: list[list[Claim]], style: str) -> list[int]:
    """Places of drafts, the one to pick first at the head."""
    right = [sum(item.right for item in draft) for draft in drafts]
    keys: dict[str, Callable[[int], tuple[int, ...]]] = {
        "default": lambda i: (-right[i], i),
        "checked": lambda i: (not drafts[i], len(drafts[i]) - right[i], -right[i], i),
        "complete": lambda i: (-len(drafts[i]), i),
    }
    return sorted(range(len(drafts)), key=keys[style])
