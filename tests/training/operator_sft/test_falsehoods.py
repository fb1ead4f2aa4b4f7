"""What is made false is false, and mostly looks right at a glance."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st

from experiments.reasoner.roles import Claim, draft_text
from experiments.reasoner.task import draw
from experiments.training.operator_sft.falsehoods import KINDS, false_claim
from experiments.training.operator_sft.reading import claims, sound
from experiments.training.operator_sft.states import Space, State
from experiments.training.operator_sft.targets import falsified, puzzles_of
from pdr_dspy.data.worksheets import problem_text

from .support import PROBLEM, RIGHT, draft


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_a_false_claim_is_false_and_reads_as_a_claim(seed: int, lines: int) -> None:
    rng = random.Random(seed)
    puzzles = draw(lines, rng)
    index = rng.randrange(lines)
    made = false_claim(index, puzzles, rng)
    assert not sound(puzzles[index].line, made.steps)
    problem = problem_text([item.line for item in puzzles])
    assert claims(problem, made.workings) == [made]


def test_most_of_them_end_at_the_target() -> None:
    rng = random.Random(0)
    hits = 0
    for _ in range(300):
        puzzles = draw(4, rng)
        hits += false_claim(2, puzzles, rng).steps[-1].result == puzzles[2].line.target
    assert hits > 200


@pytest.mark.parametrize("maker", [maker for maker, _ in KINDS], ids=lambda maker: maker.__name__)
def test_every_way_gives_steps(maker) -> None:  # type: ignore[no-untyped-def]
    rng = random.Random(1)
    made = [maker(0, draw(4, rng), rng) for _ in range(200)]
    assert sum(bool(steps) for steps in made) > 10


def test_a_drafts_answer_follows_the_workings_that_are_made_false() -> None:
    puzzles = puzzles_of(PROBLEM)
    whole = "\n".join([RIGHT["A"], RIGHT["B"], RIGHT["C"]])
    right = [Claim(index, puzzle.solution, True) for index, puzzle in enumerate(puzzles)]
    state = State(PROBLEM, (draft_text(right),), (Space((0,), whole),))
    changed = 0
    for seed in range(60):
        made = falsified(state, random.Random(seed))
        said = claims(PROBLEM, made.drafts[0])
        assert made.drafts[0] == draft_text(said)  # workings and answers of the same steps, in one order
        changed += sum(not item.right for item in said)
        assert made.spaces[0].text.count("\n") == 2
    assert changed > 20


def test_a_falsified_state_keeps_its_worksheet_and_changes_only_right_claims() -> None:
    notes = "\n".join([RIGHT["A"], "B: open", RIGHT["C"]])
    state = State(PROBLEM, (draft(RIGHT["A"]), draft(RIGHT["B"], RIGHT["C"]), draft()), (Space((0, 1), notes),))
    changed = 0
    for seed in range(40):
        made = falsified(state, random.Random(seed))
        assert made.problem == PROBLEM
        assert made.drafts[2] == draft()
        assert "B: open" in made.spaces[0].text
        for before, after in zip(state.drafts, made.drafts, strict=True):
            for one, other in zip(claims(PROBLEM, before), claims(PROBLEM, after), strict=True):
                assert one.index == other.index
                assert other == one or not other.right
                changed += other != one
    assert changed > 10
