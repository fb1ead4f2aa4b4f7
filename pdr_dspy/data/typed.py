"""Reference answers that no value of the graded field's type can say: `3.5` where the signature has `answer: int`."""

from __future__ import annotations

from typing import Any, get_origin

from pdr_dspy.data.problem import Problem
from pdr_dspy.formats.coerce import lenient


def type_name(annotation: Any) -> str:
    """A type as a signature has it: `int`, `list[str]`, `Literal['yes', 'no']`."""
    whole = get_origin(annotation) is not None or not isinstance(annotation, type)
    return str(annotation).replace("typing.", "") if whole else annotation.__name__


def fits(problem: Problem, annotation: Any) -> bool:
    """Whether one of a problem's right answers reads as a value of a type, read as an answer would be.

    Args:
        problem: One with a reference.
        annotation: The graded field's type.
    """
    option = problem.option(problem.answer or "")
    texts = problem.right if option is None else (*problem.right, option)
    return any(_reads(text, annotation) for text in texts)


def _reads(text: str, annotation: Any) -> bool:
    try:
        lenient(text, annotation)
    except Exception:  # pydantic's, ast's, json_repair's: whatever a type of the user's raises
        return False
    return True
