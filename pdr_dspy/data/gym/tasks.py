"""A task as problems and their grader."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import dspy

from pdr_dspy.answers import read
from pdr_dspy.answers.boxed import last_boxed
from pdr_dspy.data.cells import as_text
from pdr_dspy.data.graders import FieldGrader, Verdict
from pdr_dspy.data.gym.spec import GymSpec
from pdr_dspy.data.gym.verifier import Verifier
from pdr_dspy.data.problem import Problem

_LONGEST = 20_000
"""Characters of an answer in which another reading than the whole is looked for."""


class GymProblem(dspy.Signature):
    """Solve the task."""

    problem: str = dspy.InputField()
    answer: str = dspy.OutputField(desc="the final answer alone, in the form that the task asks for")


def gym_problems(spec: GymSpec, field: str = "answer") -> tuple[list[Problem], FieldGrader]:
    """A task's problems, and its verifier as their grader.

    Args:
        spec: The task.
        field: The output field to grade.

    Raises:
        DataError: reasoning-gym is not installed, has no such task, or the task no such options.
    """
    verifier = Verifier(spec)
    problems = [
        Problem(
            f"{spec.name}-{index}",
            {"problem": question},
            None if answer is None else as_text(answer),
            extra={"index": index},
        )
        for index, (question, answer) in enumerate(verifier.problems())
    ]
    return problems, FieldGrader(str(spec), field, _Judge(verifier), needs_answer=False)


@dataclass(frozen=True)
class _Judge:
    verifier: Verifier

    async def __call__(self, problem: Problem, text: str) -> Verdict:
        detail = ""
        for answer in _readings(text):
            said = await asyncio.to_thread(self.verifier.score, problem.extra["index"], answer)
            if said.failure:
                return Verdict(False, "grader", said.failure)
            if said.score == 1.0:
                return Verdict(True)
            detail = detail or said.detail or f"the task's verifier scores it {said.score:.2f}"
        return Verdict(False, None, detail)


def _readings(text: str) -> Iterator[str]:
    """What may be meant as the answer: verifiers take prose around it for part of it."""
    seen = text.strip()
    yield seen
    boxed = last_boxed(text) if len(text) <= _LONGEST else None
    if boxed is not None and boxed.strip() != seen:
        yield boxed.strip()
    elif len(text) <= _LONGEST and (bare := read(text).text) != seen:
        yield bare
