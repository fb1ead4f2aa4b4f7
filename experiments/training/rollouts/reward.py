"""What a rollout is worth: +1 or -1 by the data set's grader, or by its parts where a problem has parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pdr_dspy.data import Dataset, Problem
from pdr_dspy.data.worksheets import lines_solved, parse_problem
from pdr_dspy.errors import DataError

RewardKind = Literal["answer", "parts"]
REWARDS: tuple[RewardKind, ...] = ("answer", "parts")


@dataclass(frozen=True, slots=True)
class Score:
    """A rollout's reward, from -1 to 1, and whether its answer is right."""

    reward: float
    right: bool


Reward = Callable[[Problem, Mapping[str, Any] | None], Awaitable[Score]]
"""(The problem, the output fields; None where the call gave nothing usable) to a score."""


def reward_of(kind: RewardKind, dataset: Dataset) -> Reward:
    """The reward of a data set's problems.

    Args:
        kind: `answer`: 1 where the grader says right, else -1. `parts`: -1 to 1 by the share of right parts (the lines
            of a worksheet); right is what the grader says.
        dataset: Says which grader.

    Raises:
        DataError: parts of problems that have none.
    """
    if kind == "parts" and dataset.grader.name != "worksheet":
        raise DataError("reward", f"{dataset.name} has no parts to be counted", "Write reward: answer")

    async def score(problem: Problem, outputs: Mapping[str, Any] | None) -> Score:
        if outputs is None:
            return Score(-1.0, False)
        right = bool(await dataset.grader.grade(problem, outputs))
        if kind == "answer":
            return Score(1.0 if right else -1.0, right)
        text = "\n".join(problem.inputs.values())
        said = str(outputs.get(dataset.graded_field or "answer", ""))
        return Score(2 * lines_solved(text, said) / len(parse_problem(text)) - 1, right)

    return score
