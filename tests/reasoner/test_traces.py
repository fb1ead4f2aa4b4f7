"""The teacher never errs: what its thinking claims solved is solved, and a cut trace claims only what it had."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from experiments.reasoner.roles import claim, draft_text, right_lines, simulated_draft, wrong_claim
from experiments.reasoner.task import draw, label
from experiments.reasoner.traces import search
from pdr_dspy.data.worksheets import lines_solved, problem_text


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from(["default", "brief", "checking", "from_the_last"]))
def test_a_trace_solves_what_it_says_and_every_equation_holds(seed: int, lines: int, style: str) -> None:
    rng = random.Random(seed)
    puzzles = draw(lines, rng)
    trace = search(puzzles, rng, 400, style=style)
    words = "".join(text for text, _ in trace.pieces).split()
    for place, word in enumerate(words):
        if word == "=":
            left, operator, right, result = words[place - 3], words[place - 2], words[place - 1], words[place + 1]
            value = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}[operator](
                int(left), int(right)
            )
            assert value == int(result)
    assert words.count(".") == len(trace.solved_at)
    if trace.finished and style != "brief":
        assert set(trace.solved_at) == set(range(lines))


def test_a_style_changes_where_the_search_begins_and_settled_lines_are_left_alone() -> None:
    rng = random.Random(0)
    puzzles = draw(4, rng)
    assert search(puzzles, rng, 8, style="from_the_last").pieces[0][0] == "\nD"
    trace = search(puzzles, rng, 10_000, settled=frozenset({0, 2}))
    assert {text for text, _ in trace.pieces if text.startswith("\n")} == {"\nB", "\nD"}


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_right_claims_satisfy_the_checker_and_wrong_ones_do_not(seed: int, lines: int) -> None:
    rng = random.Random(seed)
    puzzles = draw(lines, rng)
    problem = problem_text([item.line for item in puzzles])
    for index, item in enumerate(puzzles):
        assert lines_solved(problem, claim(index, item).answer) == 1
        assert right_lines(claim(index, item).workings, puzzles) == {index}
        assert right_lines(wrong_claim(index, item, rng).workings, puzzles) == frozenset()
    claims = simulated_draft(puzzles, rng)
    assert right_lines(draft_text(claims), puzzles) >= {item.index for item in claims if item.right}
    assert right_lines(draft_text(claims, answer_only=True), puzzles) >= {item.index for item in claims if item.right}


def test_labels_are_letters() -> None:
    assert [label(index) for index in range(3)] == ["A", "B", "C"]
