"""Votes: what counts as one answer, and which field is voted on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, Literal

import dspy
import pytest
from fakes.stages import fields
from fakes.vllm import FakeVLLM
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pdr_dspy.answers import Graded, judged
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import WorkflowError
from pdr_dspy.modules import PDR, Draft, LongCoT, MajorityVote, SequentialRefinement, votes
from pdr_dspy.modules.votes import Ballot, majority, make_ballot, voted_fields


class Colour(Enum):
    """One of two."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """Typed output."""

    x: int


def drafts(values: Sequence[Any], name: str = "answer") -> list[Draft]:
    return [Draft(index, "", {name: value}) for index, value in enumerate(values)]


def vote(values: Sequence[Any], equal: Any = None) -> Any:
    return asyncio.run(majority(drafts(values), make_ballot(["answer"], equal))).outputs["answer"]


@pytest.mark.parametrize(
    ("values", "winner"),
    [
        ([r"\frac{1}{2}", "7", r"\dfrac{1}{2}", "7", "1/2", "0.5"], "1/2"),
        (["42", "7", r"\boxed{42}", "7", "$42$", "42."], "42"),
        (["7", "42", "7", "**42**", "42 ", "The answer is 42"], "42"),
        (["1,000", "7", "1000", "7", "1{,}000", "1000.0"], "1000"),
        (["7", "5", "5 cm", r"5\text{ cm}", "7", r"5 \text{cm}"], "5"),
        (["A", "(B)", "B", "B.", "A", "**B**"], "B"),
        (["7", "7", "1, 2", "2, 1", r"\{1,2\}", "x=1, x=2"], "1, 2"),
        (["7", "033", "33", "33.0", "7", "33"], "33"),
        ([7, 42.0, 42], 42),
        ([[2, 1], [1, 2], [1, 2]], [1, 2]),
        ([Point(x=1), Point(x=2), Point(x=2)], Point(x=2)),
        ([Colour.RED, Colour.BLUE, Colour.BLUE], Colour.BLUE),
        (["", None, "", "$$", "42"], "42"),
        (["", None], ""),
        (["a", "b", "b", "a"], "a"),
        (["a"], "a"),
    ],
)
def test_the_answer_of_most_drafts_wins_however_it_is_written(values: Sequence[Any], winner: Any) -> None:
    assert vote(values) == winner


@pytest.mark.parametrize(
    ("values", "index"),
    [
        (["42.0", "42", "$42$", "42"], 1),
        ([r"\boxed{42}", "42", "$42$", "42"], 1),
        (["42", "42.0", "42.0"], 1),  # the most frequent, though another is shorter
        (["42", "42.0", "42.0", "42"], 0),
        ([r"\boxed{42}", "42.0", "$42$", "42."], 3),  # once each: the shortest
        (["7", "42.0", "$42$", "7", "42.0", "$42$"], 1),  # as often and as long: the first
        (["42.0", "42", "42", "42.0", "42.0"], 0),  # those behind the majority's last draft count as well
        ([42.0, 42, 7], 1),
        ([Point(x=1), Point(x=1)], 0),
    ],
)
def test_it_is_spelt_as_most_of_them_spell_it(values: Sequence[Any], index: int) -> None:
    chosen = asyncio.run(majority(drafts(values)[::-1], make_ballot(["answer"])))
    assert chosen.index == index


@given(st.lists(st.sampled_from(["42", "42.0", "$42$", "42.00", r"\boxed{42}"]), min_size=1))
def test_no_spelling_is_more_frequent_than_the_one_given(values: list[str]) -> None:
    chosen = asyncio.run(majority(drafts(values), make_ballot(["answer"])))
    spelt = chosen.outputs["answer"]
    assert chosen.index == values.index(spelt)
    assert (values.count(spelt), -len(spelt)) == max((values.count(v), -len(v)) for v in values)


@given(st.lists(st.sampled_from(["1", "1.0", "2", "2/1", "x", "X", "", "y"]), min_size=1), st.randoms())
def test_the_order_in_which_drafts_come_does_not_count(values: list[str], dice: Any) -> None:
    made = drafts(values)
    ballot = make_ballot(["answer"])
    chosen = asyncio.run(majority(made, ballot))
    dice.shuffle(made)
    assert asyncio.run(majority(made, ballot)) == chosen
    asked = ["1", "2", "x", "y"]
    counts = [sum(votes.canonical(v) == a for v in values) for a in asked]
    if any(counts):
        assert counts[asked.index(votes.canonical(chosen.outputs["answer"]))] == max(counts)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30))
def test_each_draft_is_compared_with_one_of_each_group_and_never_with_its_like(values: list[int]) -> None:
    asked: list[tuple[int, int]] = []

    async def equal(first: int, second: int) -> bool:
        asked.append((first, second))
        return first % 5 == second % 5

    chosen = vote(values, equal)
    assert len(set(asked)) == len(asked) <= 5 * len(set(values))
    assert all(first != second for first, second in asked)
    counts = [sum(v % 5 == r for v in values) for r in range(5)]
    assert counts[chosen % 5] == max(counts)


def test_an_equality_of_ones_own_may_be_async_or_not() -> None:
    async def same_length(first: str, second: str) -> bool:
        return len(first) == len(second)

    assert vote(["aaa", "b", "c"], same_length) == "b"
    assert vote(["aaa", "b", "c"], lambda first, second: len(first) == len(second)) == "b"
    assert vote(["aaa", "b", "c"], lambda first, second: same_length(first, second)) == "b"


@pytest.mark.parametrize("when", ["raises", "hangs", "hangs in a coroutine"])
def test_an_equality_that_fails_counts_as_unequal_and_is_told_once(
    when: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if when != "raises":  # a busy machine takes longer to raise than that
        monkeypatch.setattr(votes, "LIMIT", 0.05)
    monkeypatch.setattr(votes, "_told", set())

    def broken(first: str, second: str) -> bool | Awaitable[bool]:
        if when == "raises":
            raise ZeroDivisionError("a bug")
        return asyncio.sleep(100, True)

    async def hanging(first: str, second: str) -> bool:
        return await asyncio.sleep(100, True)

    equal: Callable[..., Any] = hanging if when == "hangs in a coroutine" else broken
    with caplog.at_level(logging.WARNING):
        assert vote(["a", "b", "c", "b", "d"], equal) == "b"
        assert vote(["a", "b", "c", "b", "d"], equal) == "b"
    assert len(caplog.records) == 1
    assert equal.__qualname__ in caplog.text and ("ZeroDivisionError" in caplog.text) == (when == "raises")


@pytest.mark.parametrize(
    ("signature", "voted"),
    [
        ("question -> answer", ("answer",)),
        ("question -> answer, explanation", ("answer",)),
        ("question -> answer, confidence: float", ("answer",)),
        ("question -> explanation, answer", ("answer",)),
        ("question -> verdict", ("verdict",)),
        ("question -> explanation", ("explanation",)),
        ("question -> explanation, verdict: bool", ("verdict",)),
        ("question -> rationale, label, confidence: float", ("label",)),
        ("question -> x: int, y: int, remark", ("x", "y")),
        ("question -> summary: str | None, items: list[str]", ("items",)),
        ("question -> title, body", ("title",)),
        ("question -> reasoning, confidence: float", ("reasoning",)),
        (dspy.Signature("question -> label, why").with_updated_fields("label", type_=Literal["a", "b"]), ("label",)),
    ],
)
def test_which_fields_are_voted_on(signature: Any, voted: tuple[str, ...]) -> None:
    assert voted_fields(dspy.ensure_signature(signature)) == voted
    assert MajorityVote(signature).vote_on == voted


def test_the_fields_can_be_named() -> None:
    signature = "question -> answer, unit, explanation"
    assert PDR(signature, "programs/majority.yaml", vote_on="unit").vote_on == ("unit",)
    assert MajorityVote(signature, vote_on=["answer", "unit", "answer"]).vote_on == ("answer", "unit")
    for make in (MajorityVote, LongCoT, SequentialRefinement):
        with pytest.raises(WorkflowError, match=r"vote_on.*'units'.*answer, unit, explanation"):
            make(signature, vote_on=["answer", "units"])  # type: ignore[operator]
    with pytest.raises(WorkflowError, match="vote_on"):
        MajorityVote(signature, vote_on=[])


def test_several_fields_must_all_be_equal() -> None:
    made = [Draft(i, "", {"x": x, "y": y}) for i, (x, y) in enumerate([("1", "2"), ("1", "3"), ("1.0", "3")])]
    assert asyncio.run(majority(made, make_ballot(["x", "y"]))).index == 1


def test_a_data_sets_equality_holds_for_its_field_unless_there_is_another() -> None:
    async def never(first: Any, second: Any) -> bool:
        return False

    def mine(first: Any, second: Any) -> bool:
        return True

    with judged(Graded("answer", never)):
        assert make_ballot(["answer"]).equal == {"answer": never}
        assert make_ballot(["label"]) == Ballot({"label": votes.equal_answers})
        assert make_ballot(["answer"], mine).equal == {"answer": mine}
    with judged(Graded(None, never)):
        assert make_ballot(["label"]).equal == {"label": never}
    assert make_ballot(["answer"]).equal == {"answer": votes.equal_answers}


def test_a_vote_in_a_program(model: FakeVLLM, endpoint: Endpoint) -> None:
    written = iter(["7", "0.5", "7", "1/2", r"\frac{1}{2}", "$.5$"] * 2)
    model.answer = lambda call: fields(solution="s", answer=next(written), explanation=f"because {call.number}")
    with dspy.context(lm=endpoint.lm):
        program = MajorityVote("question -> answer, explanation", width=6)
        assert votes.canonical(program(question="?").answer) == "1/2"
        own = MajorityVote("question -> answer, explanation", width=6, equal=lambda first, second: first == second)
        assert own(question="?").answer == "7"
