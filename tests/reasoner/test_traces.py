"""The teacher never errs: what its thinking claims solved is solved, and a cut trace claims only what it had."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.reasoner.roles import (
    Claim,
    analysis_rows,
    claim,
    claims_in,
    draft_text,
    simulated_draft,
    solution_pieces,
    workspace_pieces,
    wrong_claim,
)
from experiments.reasoner.task import draw, label, workings
from experiments.reasoner.traces import Claimed, search
from pdr_dspy.data.worksheets import lines_solved, problem_text

SEEDS = st.integers(0, 10_000)


def words(pieces: list[tuple[str, float]]) -> list[str]:
    return "".join(text for text, _ in pieces).replace(",", "").split()


def taken_up(pieces: list[tuple[str, float]]) -> set[str]:
    return {text.strip().removesuffix(":") for text, _ in pieces if text.startswith("\n")}


@given(SEEDS, st.integers(1, 8), st.sampled_from(["default", "brief", "checking", "from_the_last"]))
def test_a_trace_solves_what_it_says_and_every_equation_holds(seed: int, lines: int, style: str) -> None:
    rng = random.Random(seed)
    puzzles = draw(lines, rng)
    trace = search(puzzles, rng, 600, style=style)
    said = words(trace.pieces)
    for place, word in enumerate(said[:-1]):
        if word == "=":
            left, operator, right, result = said[place - 3], said[place - 2], said[place - 1], said[place + 1]
            value = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}[operator](
                int(left), int(right)
            )
            assert value == int(result)
    assert said.count(".") == len(trace.accepted)
    problem = problem_text([item.line for item in puzzles])
    for index, (steps, _) in trace.accepted.items():
        assert lines_solved(problem, Claim(index, steps, True).answer) == 1
    if trace.finished and style != "brief":
        assert set(trace.accepted) == set(range(lines))


def test_a_style_changes_where_the_search_begins() -> None:
    rng = random.Random(0)
    puzzles = draw(4, rng)
    assert search(puzzles, rng, 8, style="from_the_last").pieces[0][0] == "\nD"


@given(SEEDS, st.sampled_from(["glance", "full"]))
def test_right_claims_pass_a_check_and_claims_beside_the_target_do_not(seed: int, check: str) -> None:
    rng = random.Random(seed)
    puzzles = draw(4, rng)
    wrong = wrong_claim(1, puzzles, rng)
    said = [claim(0, puzzles[0]), wrong, claim(2, puzzles[2]), claim(1, puzzles[1])]
    claims = [Claimed(item.index, item.steps, check) for item in said]  # type: ignore[arg-type]
    trace = search(puzzles, rng, 10_000, claims=claims)
    assert trace.accepted[0][0] == puzzles[0].solution
    assert trace.accepted[2][0] == puzzles[2].solution
    if check == "full":
        # A false last step shows only when it is worked out again; then the line's second claim is looked at.
        assert trace.accepted[1][0] == puzzles[1].solution
    else:
        assert (trace.accepted[1][0] == wrong.steps) == (wrong.steps[-1].result == puzzles[1].line.target)
    assert taken_up(trace.pieces) == {"A", "B", "C", "D"}


def test_what_is_trusted_is_left_alone() -> None:
    rng = random.Random(0)
    puzzles = draw(4, rng)
    trace = search(puzzles, rng, 10_000, trusted={0: puzzles[0].solution, 2: puzzles[2].solution})
    assert taken_up(trace.pieces) == {"B", "D"}


@given(SEEDS)
def test_tries_go_round_in_order_and_a_missed_winner_is_met_again_after_the_line_is_taken_up_anew(seed: int) -> None:
    rng = random.Random(seed)
    puzzles = draw(1, rng)
    rows = "".join(text for text, _ in search(puzzles, rng, 10_000).pieces).strip().split("\n")
    spelled = [" ".join(map(str, item.steps)).replace(",", "") for item in puzzles[0].tries]
    rounds: list[list[int]] = []
    for row in rows[:-1]:
        if " from " in row:
            rounds.append([])
        else:
            rounds[-1].append(next(place for place, text in enumerate(spelled) if f"A {text} " in row))
    order = [place for found in rounds for place in found]
    assert all(after == (before + 1) % len(spelled) for before, after in pairwise(order))
    assert all(len(found) == len(spelled) for found in rounds[:-1]) and 1 <= len(rounds[-1]) <= len(spelled)
    assert order[-1] == puzzles[0].won and order.count(puzzles[0].won) == len(rounds)


@given(SEEDS, st.integers(1, 8))
def test_a_solved_line_is_said_as_the_solution_says_it(seed: int, lines: int) -> None:
    rng = random.Random(seed)
    puzzles = draw(lines, rng)
    trace = search(puzzles, rng, 10_000)
    thinking = "".join(text for text, _ in trace.pieces)
    solution = "".join(text for text, _ in solution_pieces({i: steps for i, (steps, _) in trace.accepted.items()}))
    said = sorted(row for row in thinking.split("\n") if row[1:2] == ":")
    assert said == solution.split("\n\n")[0].split("\n")[1:]


@given(SEEDS, st.integers(1, 8))
def test_right_claims_satisfy_the_checker_and_wrong_ones_do_not(seed: int, lines: int) -> None:
    rng = random.Random(seed)
    puzzles = draw(lines, rng)
    problem = problem_text([item.line for item in puzzles])
    for index, item in enumerate(puzzles):
        assert lines_solved(problem, claim(index, item).answer) == 1
        wrong = wrong_claim(index, puzzles, rng)
        assert not wrong.right
        assert lines_solved(problem, wrong.answer) == 0
    claims = simulated_draft(puzzles, rng)
    assert claims_in(draft_text(claims), claims) == (claims, [])
    assert claims_in(draft_text(claims, answer_only=True), claims) == ([], claims)
    assert claims_in("none", claims) == ([], [])


@given(SEEDS, st.integers(8, 200), st.sampled_from(["default", "facts_only", "disagreements"]))
def test_a_workspace_holds_right_lines_within_its_limit(seed: int, limit: int, style: str) -> None:
    rng = random.Random(seed)
    puzzles = draw(4, rng)
    drafts = [simulated_draft(puzzles, rng) for _ in range(6)]
    pieces = workspace_pieces(drafts, puzzles, limit, style)
    assert len(pieces) <= limit
    rows = "".join(text for text, _ in pieces).split("\n")
    right = {item.index for draft in drafts for item in draft if item.right}
    for row in rows:
        name, _, rest = row.partition(": ")
        if rest in ("open", "wrong"):
            assert style != "facts_only" and (rest == "open" or style == "disagreements")
        elif name != "none":
            index = "ABCD".index(name)
            assert index in right and rest == workings(puzzles[index].solution)


@pytest.mark.parametrize(("style", "rows"), [("default", 3), ("brief", 1), ("errors_only", 1)])
def test_an_analysis_names_what_its_style_asks_for(style: str, rows: int) -> None:
    rng = random.Random(1)
    puzzles = draw(4, rng)
    claims = [claim(0, puzzles[0]), wrong_claim(1, puzzles, rng)]
    found = analysis_rows(claims, 4, style)
    assert len(found) == rows
    assert "B: wrong" in found


def test_labels_are_letters() -> None:
    assert [label(index) for index in range(3)] == ["A", "B", "C"]
