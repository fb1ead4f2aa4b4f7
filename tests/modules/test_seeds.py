"""Seeds: other problems are sampled apart, the same problem alike, in every process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import dspy
import pytest
from fakes.stages import fields
from fakes.vllm import FakeVLLM
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.modules import PDR, MajorityVote
from pdr_dspy.modules.ask import call_seed
from pdr_dspy.modules.seeds import content, run_seed
from pdr_dspy.workflow import Random, Round, Workflow

PROBLEMS = [f"What is {a} + {b}?" for a in range(20) for b in range(10)]


class Colour(Enum):
    """One of two."""

    RED = 1
    BLUE = 2


class Fact(BaseModel):
    """A model."""

    text: str
    sure: bool = True


@dataclass
class Point:
    """A dataclass."""

    x: int
    y: int


class Plain:
    """An object that prints with its address."""

    def __init__(self, value: int) -> None:
        self.value = value


def test_every_draft_of_200_problems_has_a_seed_of_its_own() -> None:
    seeds = [
        call_seed(run_seed(0, {"problem": problem}), 0, CallTag(stage="draft", index=index))
        for problem in PROBLEMS
        for index in range(16)
    ]
    assert len(set(seeds)) == len(seeds) == 3200


def test_a_problem_is_sampled_alike_each_time_and_at_each_width(model: FakeVLLM, endpoint: Endpoint) -> None:
    def seeds(width: int, problem: str, **options: Any) -> set[int]:
        start = len(model.calls)
        with dspy.context(lm=endpoint.lm):
            MajorityVote("problem -> answer", width=width, **options)(problem=problem)
        return {call.body["seed"] for call in model.calls[start:]}

    assert seeds(8, "a") == seeds(8, "a") < seeds(16, "a")
    assert not seeds(8, "a") & (seeds(8, "b") | seeds(8, "a", seed=1))


def test_random_k_draws_apart_for_other_problems_and_alike_for_the_same(model: FakeVLLM, endpoint: Endpoint) -> None:
    rounds = (Round(width=8, distill=Random(k=2)), Round(width=2))
    program = PDR("problem -> answer", Workflow(name="r", rounds=rounds, close="vote"))

    model.answer = lambda call: fields(solution=str(call.body["seed"]), answer="7")

    def read(problem: str) -> list[list[int]]:
        """The drafts that each refinement read, by index."""
        with dspy.context(lm=endpoint.lm):
            first, second = program(problem=problem).run.rounds
        index = {draft.solution: draft.index for draft in first.drafts}
        return [[index[solution] for solution in re.findall(r"^\d+$", w, re.M)] for w in second.workspaces]

    assert read("a") == read("a")
    assert len({str(read(problem)) for problem in "abcdef"}) > 3


VALUES: list[Any] = [
    None, True, 1, 1.0, "1", b"1", [], {}, [1], [[1]], ["1"], {"1": 1}, {"1": 1, "2": 2}, "a\ud800", float("inf"),
    Colour.RED, Colour.BLUE, Fact(text="a"), Fact(text="a", sure=False), Point(1, 2), Point(2, 1), {1, 2}, {1, 3},
    Plain(1), Plain(2), dspy.Example(a=1), dspy.Example(a=2), dspy.History(messages=[]), 10**5000,
]  # fmt: skip


def test_values_that_differ_have_other_contents() -> None:
    assert len({content(value) for value in VALUES}) == len(VALUES)


def test_equal_values_have_one_content() -> None:
    assert content(Plain(1)) == content(Plain(1))
    assert content(Fact(text="a")) == content(Fact(text="a"))
    assert content({"a": 1, "b": [2]}) == content({"b": [2], "a": 1})
    loop: list[Any] = [1]
    loop.append(loop)
    assert content(loop) == content(loop)


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=4), _PLAIN, max_size=3), st.integers(0, 5))
def test_the_order_of_inputs_does_not_count(inputs: Mapping[str, Any], seed: int) -> None:
    assert run_seed(seed, dict(reversed(inputs.items()))) == run_seed(seed, inputs)
    assert run_seed(seed, {**inputs, "other": 1}) != run_seed(seed, inputs)


@pytest.mark.parametrize("hashed", ["1", "2"])
def test_another_process_gives_the_same_seed(hashed: str) -> None:
    code = (
        "from pdr_dspy.modules.seeds import run_seed; import dspy, decimal\n"
        "print(run_seed(3, {'q': {'b', 'a', 'c'}, 'n': [1, {'x': 2.5}], 'h': dspy.History(messages=[{'a': 'b'}]),"
        " 'd': decimal.Decimal('1.50'), 'o': object()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": hashed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == 10532847039110334603
