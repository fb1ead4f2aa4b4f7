"""A group of rollouts is one run of the library: its last round's calls, token by token, with their rewards.

Not run on GPUs. `trace`: one round of n plain drafts. `operator`: a round of M drafts, distilled, and n refinements of
the one (x, C) that comes of it; the drafts and the distill call are made once for the group and get no gradient.
Prompts, formats, workspaces, caps and what happens when a call fails are the library's own. Imports nothing of verl.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import dspy

from experiments.training.rollouts.drawing import TRAINED
from experiments.training.rollouts.reward import reward_of
from experiments.training.rollouts.shapes import Shape
from experiments.training.verl.engine import Completion
from pdr_dspy.caching import disable_cache
from pdr_dspy.calls import CallTag
from pdr_dspy.data import Dataset, Problem, make_grader
from pdr_dspy.data.known import KNOWN
from pdr_dspy.data.worksheets import Worksheet
from pdr_dspy.endpoint import connect
from pdr_dspy.errors import PDRError, WorkflowFailed
from pdr_dspy.modules import PDR, RunRecord
from pdr_dspy.modules.ask import call_seed
from pdr_dspy.modules.seeds import run_seed

Mode = Literal["trace", "operator"]
MODES: tuple[Mode, ...] = get_args(Mode)

_SECONDS = 7200.0  # a call waits for its turn in verl's servers, behind a whole rollout step


@dataclass(frozen=True)
class Rollout:
    """One completion of the group.

    Attributes:
        completion: What was asked and drawn.
        reward: +1 where the answer is right, else -1: a wrong one, one that can't be read, none at all.
    """

    completion: Completion
    reward: float


class RolloutLost(PDRError):
    """A rollout that was asked for and not generated: its group can't be used."""


def signature_of(name: str, instructions: str | None = None) -> type[dspy.Signature]:
    """The signature that a row names: `worksheets`, a known data set, or DSPy's own notation.

    Args:
        name: What the row calls it.
        instructions: What it says; None: its own words.
    """
    made = Worksheet if name == "worksheets" else KNOWN[name].signature if name in KNOWN else dspy.Signature(name)
    return made if instructions in (None, made.instructions) else made.with_instructions(instructions)


def task_of(row: Mapping[str, Any]) -> Dataset:
    """The problem of a row that `experiments.training.verl.prepare` made, with its signature and grader."""
    answer = row.get("answer")
    problem = Problem(
        str(row["id"]),
        json.loads(row["inputs"]),
        None if answer is None else str(answer),
        tuple(json.loads(row.get("options") or "[]")),
        tuple(json.loads(row.get("answers") or "[]")),
    )
    signature = signature_of(row["signature"], row.get("instructions"))
    field = list(signature.output_fields)[-1]
    return Dataset(str(row["data_source"]), signature, (problem,), make_grader(row["grader"], field))


async def rollouts(
    task: Dataset,
    mode: Mode,
    shape: Shape,
    url: str,
    completions: Mapping[int, Completion],
    seed: int,
) -> list[Rollout]:
    """Run the library once, and find its last round.

    Args:
        task: What is asked: one problem.
        mode: Which half of the objective.
        shape: What a rollout is, and how many there are.
        url: Where the policy is served.
        completions: What it has generated, by the seeds of the calls; read when the run has ended.
        seed: The run's.

    Raises:
        WorkflowFailed: there is no last round, for want of a draft.
        RolloutLost: a call of the last round was not answered by the server.
    """
    (problem,) = task.problems
    workflow = shape.workflow(mode)
    load = max(shape.group, shape.drafts)
    disable_cache()
    endpoint = await asyncio.to_thread(connect, url, api_key="", load=load, timeout=_SECONDS, thinking="server")
    with endpoint, dspy.context(lm=endpoint.lm):
        # Which answers a vote takes for the same does not matter here: the closing vote is not what is trained.
        program = PDR(task.signature, workflow, seed=seed, equal=lambda first, second: first == second)
        try:
            record = (await program.acall(**problem.inputs)).run
        except WorkflowFailed as failed:
            record = failed.record
            if not isinstance(record, RunRecord) or len(record.rounds) < len(workflow.rounds):
                raise  # else its last round is there, and all of it wrong
    outputs = {draft.index: draft.outputs for draft in record.rounds[-1].drafts}
    reward = reward_of("answer", task)
    start, last = run_seed(seed, problem.inputs), len(workflow.rounds) - 1
    group = []
    for index in range(shape.group):
        found = completions.get(call_seed(start, 0, CallTag(stage=TRAINED[mode], round=last, index=index)))
        if found is None:
            raise RolloutLost(f"{mode} rollout {index} of {shape.group} of problem {problem.id!r} was not generated")
        group.append(Rollout(found, (await reward(problem, outputs.get(index))).reward))
    return group
