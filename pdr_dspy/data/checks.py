"""What looks wrong in a data set and need not be: copies, contradictions, references that are no answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pdr_dspy.data.dataset import Dataset
from pdr_dspy.data.duplicates import same_problems
from pdr_dspy.data.misfits import misfits
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.wording import normal_answer, normal_text

PROSE = 12
"""A reference of more words than this is no answer that could be compared."""

_NOTHING = {"", "-", "--", "?", "n/a", "na", "nan", "none", "null", "nil", "tbd", "todo", "unknown", "undefined"}
_SHOWN = 5


@dataclass(frozen=True)
class Doubts:
    """Problems that should be looked at, by their ids.

    Attributes:
        copies: Groups of problems with the same text.
        near: Groups whose texts are nearly the same (`duplicates.same_problems`).
        contradicting: Groups of either with different answers.
        prose: Reference answers of many words.
        nothing: Reference answers such as `None` and `N/A`.
    """

    copies: tuple[tuple[str, ...], ...] = ()
    near: tuple[tuple[str, ...], ...] = ()
    contradicting: tuple[tuple[str, ...], ...] = ()
    prose: tuple[str, ...] = ()
    nothing: tuple[str, ...] = ()


def doubts(problems: Sequence[Problem], groups: Iterable[Sequence[int]] | None = None) -> Doubts:
    """What looks wrong in problems and their references.

    Args:
        problems: Any number.
        groups: Which are the same one, or nearly, where that is known already.
    """
    copies: list[tuple[str, ...]] = []
    near: list[tuple[str, ...]] = []
    contradicting: list[tuple[str, ...]] = []
    for group in same_problems(problems) if groups is None else groups:
        if len(group) == 1:
            continue
        alike = [problems[index] for index in group]
        ids = tuple(problem.id for problem in alike)
        (copies if len({tuple(p.inputs.values()) for p in alike}) == 1 else near).append(ids)
        if len({_said(problem) for problem in alike}) > 1:
            contradicting.append(ids)
    answered = [problem for problem in problems if problem.answer is not None and not problem.options]
    return Doubts(
        tuple(copies),
        tuple(near),
        tuple(contradicting),
        tuple(p.id for p in answered if _is_prose(str(p.answer))),
        tuple(p.id for p in answered if str(p.answer).strip().casefold() in _NOTHING),
    )


def remarks(data: Dataset) -> list[str]:
    """The doubts that a command tells before it spends anything, a sentence each."""
    found = doubts(data.problems, data.groups)
    said = []
    if found.contradicting:
        said.append(f"the same problem has different answers: {listed(' = '.join(ids) for ids in found.contradicting)}")
    if found.prose and data.grader.name.partition("(")[0].partition(" ")[0] in _COMPARED:
        said.append(f"{len(found.prose)} reference answers are whole sentences: problems {listed(found.prose)}")
    if found.nothing:
        said.append(f"{len(found.nothing)} reference answers look like none: problems {listed(found.nothing)}")
    return said + misfits(data)


_COMPARED = ("math", "integer", "number", "words", "exact", "any", "all")
"""Graders that compare a reference's text: others may make something of prose."""


def listed(items: Iterable[str]) -> str:
    """The first few of some texts, and how many more there are."""
    every = list(items)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


def _said(problem: Problem) -> frozenset[str | None]:
    """The reference answers in a form that ways of writing them down do not change."""
    if problem.answers:
        return frozenset(normal_text(answer) for answer in problem.answers)
    return frozenset([normal_answer(problem)])


def _is_prose(answer: str) -> bool:
    words = re.sub(r"\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)", " ", answer, flags=re.DOTALL).split()
    return sum(word.strip(".,;:()").isalpha() for word in words) > PROSE
