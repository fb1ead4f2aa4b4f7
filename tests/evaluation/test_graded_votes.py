"""Votes while a program is evaluated go by the data set's grader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dspy
import pytest
from fakes.stages import fields
from fakes.vllm import FakeVLLM

from pdr_dspy import bridge
from pdr_dspy.data import Dataset, Problem, make_grader
from pdr_dspy.data.graders import Comparing, Grader
from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.evaluation import evaluate
from pdr_dspy.modules import MajorityVote

WRITTEN = ["seven", "8", "7", "eight", "7.0", "seven"]
"""Drafts by index: two `seven`s, four of other spellings; as seven and eight, four against two."""


@dataclass(frozen=True)
class Words:
    """A user's grader: knows numbers by their names."""

    name: str = "words"
    field: str = "answer"

    async def grade(self, problem: Problem, outputs: Mapping[str, Any]) -> bool:
        """As a word."""
        return await self.equal(problem.answer, outputs[self.field])

    async def equal(self, first: Any, second: Any) -> bool:
        """By the number."""
        known = {"seven": 7.0, "eight": 8.0}
        one, other = (known.get(str(v)) or float(v) for v in (first, second))
        return one == other


@dataclass(frozen=True)
class Plain:
    """A user's grader that only grades."""

    name: str = "plain"

    async def grade(self, problem: Problem, outputs: Mapping[str, Any]) -> bool:
        """As text."""
        return bool(outputs["answer"] == problem.answer)


class Outer(dspy.Module):
    """A program that holds a vote."""

    def __init__(self, signature: str = "problem -> answer", **options: Any) -> None:
        super().__init__()
        self.vote = MajorityVote(signature, width=len(WRITTEN), budget="tokens=1k", **options)

    async def aforward(self, problem: str) -> dspy.Prediction:
        found = await self.vote.acall(problem=problem)
        return dspy.Prediction(answer=found[self.vote.vote_on[0]], fields=self.vote.vote_on)


class SyncOuter(dspy.Module):
    """The same without `async`: it runs in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.vote = MajorityVote("problem -> answer", width=len(WRITTEN), budget="tokens=1k")

    def forward(self, problem: str) -> dspy.Prediction:
        return dspy.Prediction(answer=self.vote(problem=problem).answer)


def voted(program: dspy.Module, grader: Grader, written: list[str] = WRITTEN, name: str = "answer") -> str:
    """What the vote gave, under this grader."""
    left = iter(written)
    with (
        FakeVLLM(answer=lambda call: fields(solution="s", **{name: next(left)})) as server,
        Endpoint.open(EndpointSettings((server.url,), load=1)) as endpoint,
    ):
        data = Dataset("d", dspy.Signature("problem -> answer"), (Problem("p", {"problem": "?"}, "7"),), grader)
        (result,) = bridge.run(evaluate(program, data, lm=endpoint.lm)).results
    assert result.outputs is not None, result.detail
    return str(result.outputs["answer"])


@pytest.mark.parametrize("make", [Outer, SyncOuter])
def test_the_graders_equality_counts_inside_a_program(make: type[dspy.Module]) -> None:
    assert voted(make(), Words()) in ("seven", "7", "7.0")
    tied = ["8", "sept", "8.0", "8", "7", "sept"]
    assert voted(make(), Plain(), tied) in ("8", "8.0")
    more = ["8", "seven", "8.0", "eight", "7", "seven", "7.00"][1:]
    assert voted(make(), Words(), more) in ("seven", "7", "7.00")


def test_an_exact_grader_tells_spellings_apart_and_a_mathematical_one_does_not() -> None:
    written = ["0.5", "7", "1/2", "7", r"\frac{1}{2}", ".5"]
    assert voted(Outer(), make_grader("exact"), written) == "7"
    assert voted(Outer(), make_grader("math"), written) in [*written[::2], ".5"]


def test_an_equality_of_the_programs_own_goes_before_it_and_other_fields_keep_theirs() -> None:
    def same(first: str, second: str) -> bool:
        return first == second

    own = Outer(equal=same)
    assert voted(own, Words(), ["7", "seven", "8", "7.0", "8", "6"]) == "8"
    assert own.vote.equal is same
    # The field that is voted on here is not the one that is graded.
    assert voted(Outer("problem -> label"), Words(), ["7", "sept", "8", "7.5", "8.0", "6"], "label") in ("8", "8.0")


def test_graders_that_compare_are_known_by_it() -> None:
    assert isinstance(Words(), Comparing) and isinstance(make_grader("math"), Comparing)
    assert not isinstance(Plain(), Comparing) and isinstance(Plain(), Grader)


def test_what_is_graded_is_named_by_the_data_set() -> None:
    def graded(signature: str, grader: Grader) -> str | None:
        return Dataset("d", dspy.Signature(signature), (Problem("p", {"problem": "?"}, "7"),), grader).graded_field

    assert graded("problem -> label, answer", make_grader("exact", "label")) == "label"
    assert graded("problem -> answer", make_grader("exact", "label")) is None
    assert graded("problem -> answer", Plain()) is None
