"""What proposers learn from: a workflow's calls on a few problems of the search, each with what became of it.

The calls are those the search itself makes for this workflow (same seeds, same place), so the store answers them once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dspy

from pdr_dspy.answers import judged
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.data import Dataset, Problem
from pdr_dspy.data.graders import graded_by
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.evaluation.failures import fatal
from pdr_dspy.evaluation.runs import shown
from pdr_dspy.modules import PDR, RunRecord
from pdr_dspy.modules.signatures import own_field

_OWN = ("truncated", "empty", "unparseable")
"""Failures that an instruction can do something about; others are the server's, or the budget's."""

_SHOWN = 500  # characters of what a failed call wrote: an instruction that mends it must know


@dataclass(frozen=True)
class Attempt:
    """One call of a stage.

    Attributes:
        stage: The stage.
        inputs, outputs: Its fields; no outputs where it gave nothing usable.
        right: Whether what it led to was right.
        feedback: In words.
    """

    stage: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    right: bool
    feedback: str


async def attempts(program: PDR, data: Dataset, lm: Any) -> list[Attempt]:
    """Run a program on every problem, and grade every draft and refinement of it.

    Raises:
        InputError: something that would spoil every problem alike (`EndpointError`, `SpendExhausted`).
    """
    found = await asyncio.gather(*(_one(program, data, problem, lm) for problem in data.problems))
    return [attempt for each in found for attempt in each]


async def _one(program: PDR, data: Dataset, problem: Problem, lm: Any) -> list[Attempt]:
    trace: list[tuple[dspy.Predict, dict[str, Any], dspy.Prediction]] = []
    prediction: dspy.Prediction | None = None
    record: object = None
    settings = dspy.context(lm=lm, disable_history=True, trace=trace)
    with tagged(CallTag(problem=problem.id)), judged(graded_by(data.grader)), settings:
        try:
            prediction = await program.acall(**problem.inputs)
            record = prediction[own_field(data.signature, "run")]
        except WorkflowFailed as error:
            if (mistake := fatal(error)) is not None:
                raise mistake from error
            record = error.record
    solved = prediction is not None and await _right(data, problem, prediction)
    stages = {id(predictor): name for name, predictor in program.named_predictors()}
    found = []
    # Calls that are made at the same time end in any order; what is asked next, and so kept, must not depend on it.
    for predictor, inputs, outputs in sorted(trace, key=lambda call: repr((call[1], dict(call[2].items())))):
        stage = stages.get(id(predictor), "")
        if stage in ("draft", "refine"):
            right = await _right(data, problem, outputs)
            found.append(Attempt(stage, inputs, dict(outputs.items()), right, _graded(right, problem)))
        elif stage == "distill":
            said = f"The attempt that read this workspace was {'right' if solved else 'wrong'}.{_reference(problem)}"
            found.append(Attempt(stage, inputs, dict(outputs.items()), solved, said))
    if isinstance(record, RunRecord):
        found += [
            Attempt(f.stage, problem.inputs, {}, False, f"It gave nothing usable: {shown(f, _SHOWN)}")
            for f in sorted(record.failed, key=repr)
            if f.kind in _OWN
        ]
    return found


async def _right(data: Dataset, problem: Problem, outputs: dspy.Prediction) -> bool:
    fields = {name: outputs[name] for name in data.signature.output_fields}
    return bool(await data.grader.grade(problem, fields))


def _graded(right: bool, problem: Problem) -> str:
    return "Right." if right else f"Wrong.{_reference(problem)}"


def _reference(problem: Problem) -> str:
    return "" if problem.answer is None else f" The reference answer is: {problem.answer}"
