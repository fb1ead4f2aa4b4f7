"""The plan: which calls follow one another, and that their caps share the budget out and never exceed it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.budget import Budget
from pdr_dspy.errors import BudgetError, WorkflowError
from pdr_dspy.workflow import (
    Analysis,
    Answers,
    Caps,
    Pick,
    Previous,
    Random,
    Round,
    Summary,
    Top,
    Workflow,
    plan,
)
from tests.workflow.strategies import workflows

PDR = Workflow(
    name="pdr",
    rounds=[
        Round(width=16, distill=Summary(tokens=1024)),
        Round(width=8, distill=Summary(tokens=1024)),
        Round(width=4, distill=Summary(tokens=1024)),
        Round(width=1),
    ],
)
LONG = Workflow(name="long_cot", rounds=[Round(width=1)])


def smallest(workflow: Workflow) -> int:
    """The smallest `tokens` budget, as the error for one token says."""
    with pytest.raises(BudgetError) as caught:
        plan(workflow, Budget(tokens=1))
    assert caught.value.field == "budget.tokens"
    return int(caught.value.mend.rpartition("=")[2])


def test_a_single_call_gets_the_whole_budget() -> None:
    made = plan(LONG, Budget(tokens=16_000))
    assert [s.caps for s in made.steps] == [Caps(13_952, 2048)]
    assert (made.path_tokens, made.total_tokens, made.calls, made.seq_calls) == (16_000, 16_000, 1, 1)
    assert plan(LONG, Budget(tokens=1000)).steps[0].caps == Caps(500, 500)


def test_pdr_shares_what_its_summaries_leave() -> None:
    made = plan(PDR, Budget(tokens=16_000))
    assert [(s.stage, s.round, s.width) for s in made.steps] == [
        ("draft", 0, 16),
        ("distill", 0, 1),
        ("refine", 1, 8),
        ("distill", 1, 1),
        ("refine", 2, 4),
        ("distill", 2, 1),
        ("refine", 3, 1),
    ]
    assert [s.caps for s in made.steps if s.stage == "distill"] == [Caps(None, 1048)] * 3
    assert [s.kappa for s in made.steps if s.stage == "distill"] == [1024] * 3
    part = (16_000 - 3 * 1048) // 4
    assert [s.caps.total for s in made.steps if s.stage != "distill"] == [part] * 4
    assert (made.calls, made.seq_calls, made.path_tokens) == (32, 7, 16_000)
    assert made.total_tokens == 29 * part + 3 * 1048


def test_each_distiller_has_its_step_or_none() -> None:
    workflow = Workflow(
        name="all",
        rounds=[
            Round(width=4, distill=Top(k=2), quorum=3),
            Round(width=4, distill=Top(k=2, shared=False)),
            Round(width=3, distill=Random()),
            Round(width=5, distill=Answers()),
            Round(width=1, distill=Previous()),
            Round(width=1, distill=Analysis(tokens=1000)),
            Round(width=2),
        ],
        close="pick",
    )
    steps = plan(workflow, Budget()).steps
    assert [(s.stage, s.round, s.width, s.quorum) for s in steps] == [
        ("draft", 0, 4, 3),
        ("pick", 0, 1, None),
        ("refine", 1, 4, None),
        ("pick", 1, 3, None),
        ("refine", 2, 3, None),
        ("refine", 3, 5, None),
        ("refine", 4, 1, None),
        ("refine", 5, 1, None),
        ("analyse", 5, 1, None),
        ("refine", 6, 2, None),
        ("pick", 6, 1, None),
    ]
    assert [s.caps for s in steps if s.stage == "pick"] == [Caps(None, 40)] * 3
    assert [s.caps for s in steps if s.stage == "analyse"] == [Caps(None, 524)]
    assert {s.caps for s in steps if s.stage in ("draft", "refine")} == {Caps(16_384, 2048)}


def test_a_helper_has_the_thinking_its_workflow_says() -> None:
    rounds = [Round(width=4, distill=Summary(tokens=100, thinking=300)), Round(width=2)]
    workflow = Workflow(name="t", rounds=rounds, close=Pick(kind="pick", thinking=200))
    for think in (False, True):
        made = plan(workflow, Budget(tokens=2000), helpers_think=think)
        assert [s.caps for s in made.steps if s.kappa or s.stage == "pick"] == [Caps(300, 124), Caps(200, 40)]
        assert made.path_tokens == 2000


def test_helpers_of_a_model_that_always_thinks_share_in_the_budget() -> None:
    made = plan(PDR, Budget(tokens=16_000), helpers_think=True)
    assert [s.caps for s in made.steps if s.stage == "distill"] == [Caps(1024, 1048)] * 3
    assert made.steps[0].caps.total == (16_000 - 3 * 2072) // 4
    assert made.path_tokens == 16_000
    small = plan(PDR, Budget(tokens=4_000), helpers_think=True)
    assert [s.caps for s in small.steps if s.stage == "distill"] == [Caps(77, 1048)] * 3
    assert small.steps[0].caps.total == 155
    assert plan(PDR, Budget(), helpers_think=True).steps[1].caps == Caps(1024, 1048)
    off = Workflow(name="o", rounds=[Round(width=2, distill=Summary(thinking="off")), Round(width=1)])
    assert plan(off, Budget(), helpers_think=True).steps[1].caps == Caps(None, 1048)


@given(workflows())
def test_the_smallest_budget_does_not_depend_on_the_model(workflow: Workflow) -> None:
    least = smallest(workflow)
    assert plan(workflow, Budget(tokens=least), helpers_think=True).path_tokens <= least


def test_a_vote_makes_no_call() -> None:
    made = plan(Workflow(name="v", rounds=[Round(width=16)], close="vote"), Budget(tokens=2000))
    assert [(s.stage, s.width) for s in made.steps] == [("draft", 16)]
    assert (made.path_tokens, made.total_tokens) == (2000, 32_000)


def test_a_pick_of_many_has_room_for_their_numbers() -> None:
    workflow = Workflow(name="p", rounds=[Round(width=16, distill=Top(k=16)), Round(width=1)])
    assert plan(workflow, Budget()).steps[1].caps == Caps(None, 24 + 4 * 16)


def test_caps_of_a_round_are_kept_and_the_rest_is_shared_out() -> None:
    workflow = Workflow(
        name="fixed",
        rounds=[
            Round(width=2, thinking=300, answer=100, distill=Answers()),
            Round(width=2, answer=100, distill=Answers()),
            Round(width=2, thinking=300, distill=Answers()),
            Round(width=1, thinking=0, distill=Previous()),
            Round(width=1),
        ],
    )
    caps = [s.caps for s in plan(workflow, Budget(tokens=2400)).steps]
    assert caps == [Caps(300, 100), Caps(400, 100), Caps(300, 200), Caps(0, 500), Caps(250, 250)]
    # What one call can't use (its caps are full) goes to those that can.
    caps = [s.caps for s in plan(workflow, Budget(tokens=16_000)).steps]
    assert caps[2:4] == [Caps(300, 2048), Caps(0, 2048)]
    assert caps[1].total == caps[4].total == (16_000 - 400 - 2348 - 2048) // 2


def test_share_leaves_the_rest_of_the_budget_alone() -> None:
    half = LONG.model_copy(update={"share": 0.5})
    assert plan(half, Budget(tokens=1000)).path_tokens == 500
    tenth = LONG.model_copy(update={"share": 0.1})
    assert plan(tenth, Budget(tokens=1000)).path_tokens == 100  # a tenth, not the float a little beside it


@given(workflows(), st.integers(0, 200_000), st.booleans())
def test_the_path_never_exceeds_its_share(workflow: Workflow, more: int, think: bool) -> None:
    tokens = smallest(workflow) + more
    made = plan(workflow, Budget(tokens=tokens), helpers_think=think)
    assert made.path_tokens <= tokens * Fraction(str(workflow.share))
    assert made.path_tokens == made.tokens_after(-1)
    for step in made.steps:
        caps = step.caps
        assert caps.answer >= 1 and (caps.thinking is None or caps.thinking >= 0)
        if step.stage in ("draft", "refine"):
            r = workflow.rounds[step.round]
            assert caps.thinking is not None
            assert caps.thinking == r.thinking if r.thinking is not None else caps.thinking >= 16
            assert caps.answer == r.answer if r.answer is not None else 16 <= caps.answer <= 2048
        elif isinstance(step.wanted, int):
            assert caps.thinking == step.wanted
        else:
            assert (caps.thinking is not None) == (think and step.wanted is None)


@given(workflows())
def test_the_smallest_budget_is_the_smallest(workflow: Workflow) -> None:
    tokens = smallest(workflow)
    plan(workflow, Budget(tokens=tokens))
    with pytest.raises(BudgetError):
        plan(workflow, Budget(tokens=tokens - 1))


@given(workflows(), st.integers(0, 20_000))
def test_the_smallest_total_is_the_smallest(workflow: Workflow, more: int) -> None:
    tokens = smallest(workflow) + more
    with pytest.raises(BudgetError) as caught:
        plan(workflow, Budget(tokens=tokens, total=1))
    assert caught.value.field == "budget.total"
    total = int(caught.value.mend.rpartition("=")[2])
    plan(workflow, Budget(tokens=tokens, total=total))
    with pytest.raises(BudgetError):
        plan(workflow, Budget(tokens=tokens, total=total - 1))


@given(workflows(), st.integers(0, 50_000), st.integers(1, 50_000), st.booleans())
def test_more_budget_never_takes_a_token_away(workflow: Workflow, more: int, extra: int, think: bool) -> None:
    tokens = smallest(workflow) + more
    small, large = (
        plan(workflow, Budget(tokens=tokens), helpers_think=think),
        plan(workflow, Budget(tokens=tokens + extra), helpers_think=think),
    )
    assert all(a.caps.total <= b.caps.total for a, b in zip(small.steps, large.steps, strict=True))


@given(workflows(), st.none() | st.integers(1, 100_000), st.integers(64, 40_000), st.booleans())
def test_no_call_is_longer_than_the_context(workflow: Workflow, tokens: int | None, context: int, think: bool) -> None:
    try:
        made = plan(workflow, Budget(tokens=tokens), context=context, helpers_think=think)
    except (WorkflowError, BudgetError):
        return
    assert all(0 < s.caps.total < context and s.caps.answer >= 1 for s in made.steps)


def test_a_workspace_as_long_as_the_context_is_refused() -> None:
    with pytest.raises(WorkflowError) as caught:
        plan(PDR, Budget(tokens=16_000), context=1024)
    assert caught.value.field == "rounds[0].distill.tokens"
    assert plan(PDR, Budget(tokens=16_000), context=1025).steps[1].caps == Caps(None, 1024)


def test_in_a_short_context_thinking_gives_way_first() -> None:
    workflow = Workflow(name="f", rounds=[Round(width=1, thinking=900, answer=300)])
    assert plan(workflow, Budget(), context=1001).steps[0].caps == Caps(700, 300)
    assert plan(workflow, Budget(), context=401).steps[0].caps == Caps(200, 200)
