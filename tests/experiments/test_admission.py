"""The oracle's rules: what a distiller gets to read, and that the store keeps its calls apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import dspy
import pytest
from fakes.stages import by_stage, field, fields, stage_of
from fakes.vllm import Call, FakeVLLM

from experiments.questions.admission import DRAFTS, LINES, admission, lines_of
from pdr_dspy.data import Dataset, Problem, make_grader
from pdr_dspy.endpoint import Endpoint, EndpointSettings, MemoryStore
from pdr_dspy.errors import InputError
from pdr_dspy.modules import PDR, Draft
from pdr_dspy.workflow import Round, Summary, Workflow

TEXT = "A: make 41 from 13, 7, 4\nB: make 14 from 5, 2, 4\nC: make 9 from 2, 3, 4"
SHEET = Problem("sheet", {"problem": TEXT})
SHEETS = Dataset("sheets", dspy.Signature("problem -> answer"), (SHEET,), make_grader("worksheet"))
SUM = Problem("sum", {"problem": "6 * 7"}, "42")
SUMS = Dataset("sums", dspy.Signature("problem -> answer"), (SUM,), make_grader("exact"))
FLOW = Workflow(name="p", rounds=(Round(width=4, distill=Summary(tokens=64)), Round(width=1)))

MIXED = Draft(
    0,
    "A: 7 * 4 = 28, 28 + 13 = 41\nB: 5 + 4 = 9\nopen: C",
    {"answer": "A: (7 * 4) + 13\nB: 5 + 4 + 2\nD: 1"},
)


def admitted(rule: str, data: Dataset, drafts: list[Draft]) -> list[Draft]:
    admit = admission(rule, data)
    assert admit is not None

    async def call() -> list[Draft]:
        return list(await admit(data.problems[0].inputs, drafts))

    return asyncio.run(call())


def test_whole_drafts_are_let_in_by_their_grade() -> None:
    drafts = [Draft(i, "s", {"answer": a}) for i, a in enumerate(["42", "41", "42"])]
    assert [d.index for d in admitted("correct drafts", SUMS, drafts)] == [0, 2]
    assert [d.index for d in admitted("incorrect drafts", SUMS, drafts)] == [1]
    assert admission("default", SUMS) is None


def test_single_lines_are_let_in_with_their_workings() -> None:
    right, wrong = lines_of(MIXED, SHEET, "answer", correct=True), lines_of(MIXED, SHEET, "answer", correct=False)
    assert right is not None and wrong is not None
    assert right.solution == "A: 7 * 4 = 28, 28 + 13 = 41" and right.outputs == {"answer": "A: (7 * 4) + 13"}
    assert wrong.solution == "B: 5 + 4 = 9" and wrong.outputs["answer"].startswith("B: 5 + 4 + 2")
    assert MIXED.outputs["answer"].count("\n") == 2  # the draft itself stays as it is


def test_a_draft_without_a_line_of_the_kind_stays_out() -> None:
    only_right = Draft(1, "A: x", {"answer": "A: (7 * 4) + 13"})
    assert admitted("incorrect lines", SHEETS, [only_right, MIXED])[0].index == 0
    assert admitted("correct lines", SHEETS, [Draft(2, "", {"answer": "none"})]) == []


def test_rules_that_can_not_be_are_refused() -> None:
    with pytest.raises(InputError, match="no lines to be judged"):
        admission(LINES[0], SUMS)
    with pytest.raises(InputError, match="there is no rule"):
        admission("perfect", SUMS)


def answers(call: Call) -> str:
    """Some drafts are right, some are wrong."""
    if stage_of(call) == "draft":
        right = int(call.body["seed"]) % 2
        return fields(solution=f"thought {call.body['seed']}", answer="42" if right else "41")
    return by_stage(call)


def test_the_distiller_reads_what_was_let_in_and_the_store_keeps_the_calls_apart(
    start_fake: Callable[..., FakeVLLM],
) -> None:
    model = start_fake(context=8192, answer=answers)
    with Endpoint.open(EndpointSettings(urls=(model.url,)), store=MemoryStore()) as endpoint:

        def solve(rule: str) -> tuple[list[str], list[str]]:
            """The stages that reached the server, and what summaries among them read."""
            before = len(model.calls)
            with dspy.context(lm=endpoint.lm):
                PDR(SUMS.signature, FLOW, admit=admission(rule, SUMS))(problem="6 * 7")
            fresh = model.calls[before:]
            return [stage_of(c) for c in fresh], [field(c, "drafts") for c in fresh if stage_of(c) == "distill"]

        stages, (everything,) = solve("default")
        assert sorted(stages) == ["distill", *["draft"] * 4, "refine"]
        for rule, wrong in zip(DRAFTS, ("answer: 41", "answer: 42"), strict=True):
            stages, read = solve(rule)
            assert stages == ["distill", "refine"]  # the drafts came from the store
            assert wrong in everything and wrong not in read[0]
        assert solve("default") == ([], [])
        assert solve(DRAFTS[0]) == ([], [])


def test_a_round_that_lets_nothing_in_leaves_an_empty_workspace(start_fake: Callable[..., FakeVLLM]) -> None:
    model = start_fake(context=8192, answer=by_stage)  # nobody answers 42
    with Endpoint.open(EndpointSettings(urls=(model.url,))) as endpoint, dspy.context(lm=endpoint.lm):
        program = PDR(SUMS.signature, FLOW, admit=admission("correct drafts", SUMS))
        record = program(problem="6 * 7").run
    assert sorted(stage_of(c) for c in model.calls) == [*["draft"] * 4, "refine"]
    assert record.rounds[1].workspaces == ("",) and len(record.rounds[0].drafts) == 4
    assert "admit" not in program.dump_state()
