"""One call of a user's own grader before anything is spent, on a reference that should be right."""

from __future__ import annotations

from typing import Any

from dspy.adapters.utils import parse_value

from pdr_dspy.data.graders.code import CodeJudge
from pdr_dspy.data.graders.protocol import FieldGrader
from pdr_dspy.data.problem import Problem
from pdr_dspy.errors import DataError


def tried(grader: FieldGrader, problem: Problem, annotation: Any = str) -> tuple[str, ...]:
    """What is to be told of a grader after a call with a problem's own reference (empty text where it has none).

    Args:
        grader: Any; only one that calls the user's code is tried.
        problem: The first one.
        annotation: The graded field's type; a reference that is no such value is not tried.

    Raises:
        DataError: it raised, gave no verdict, or none in time. What it raises on an empty text is only told: nothing
            says that there will be such an answer.
    """
    judge = grader.judge
    if not isinstance(judge, CodeJudge):
        return ()
    reference = problem.answer or ""
    try:
        answer = parse_value(reference, annotation)
    except Exception:  # pydantic's, ast's, json_repair's: whatever a type of the user's raises
        return (f"{judge.spec} was not tried: the reference of problem {problem.id} is no {annotation}",)
    try:
        verdict = judge.tried(problem, answer)
    except DataError as error:
        if reference or not error.__cause__:
            raise
        return (f"{error.problem}: look at it if there may be such answers",)
    if verdict or not reference:
        return ()
    why = f" ({verdict.detail})" if verdict.detail else ""
    return (f"{judge.spec} calls the reference of problem {problem.id}, {reference!r}, a wrong answer to it{why}",)
