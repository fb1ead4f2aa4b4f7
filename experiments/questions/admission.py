"""The oracle's admission rules: which drafts, or which lines of them, a distiller may read, by ground truth.

The paper lets only correct, or only incorrect, candidates into the workspace (its Figure 6). A whole worksheet is
seldom right in a short draft, so its rules come in two grains: whole drafts, as the paper's, and single answered lines,
where a draft goes in with its right (or wrong) lines alone. A line without an answer is neither, and stays out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pdr_dspy.data import Dataset, FieldGrader, Problem
from pdr_dspy.data.worksheets import lines_solved
from pdr_dspy.errors import InputError
from pdr_dspy.modules import Draft
from pdr_dspy.modules.run import Admit

DEFAULT = "default"
DRAFTS = ("correct drafts", "incorrect drafts")
LINES = ("correct lines", "incorrect lines")

_LABEL = re.compile(r"^\s*([A-Z]):")


def admission(rule: str, data: Dataset) -> Admit | None:
    """The admission rule of this name over these problems; None for the default, which lets everything in.

    Raises:
        InputError: no such rule, or one for lines on problems that are no worksheets.
    """
    if rule in ("", DEFAULT):
        return None
    if rule not in (*DRAFTS, *LINES):
        raise InputError("rule", f"there is no rule {rule!r}", f"Use one of {', '.join((DEFAULT, *DRAFTS, *LINES))}")
    wanted = rule.startswith("correct")
    problems = {_key(p.inputs): p for p in data.problems}
    if rule in DRAFTS:

        async def whole(inputs: Mapping[str, Any], drafts: Sequence[Draft]) -> list[Draft]:
            problem = problems[_key(inputs)]
            return [d for d in drafts if bool(await data.grader.grade(problem, d.outputs)) is wanted]

        return whole
    grader = data.grader
    if not isinstance(grader, FieldGrader) or grader.name != "worksheet":
        raise InputError("oracle.lines", f"{data.name} has no lines to be judged one by one", "Write lines: false")
    field = grader.field

    async def by_line(inputs: Mapping[str, Any], drafts: Sequence[Draft]) -> list[Draft]:
        problem = problems[_key(inputs)]
        parts = (lines_of(d, problem, field, correct=wanted) for d in drafts)
        return [part for part in parts if part is not None]

    return by_line


def lines_of(draft: Draft, problem: Problem, field: str, *, correct: bool) -> Draft | None:
    """The draft with its right (or wrong) lines alone, in its solution as in its answer; None where there are none."""
    text = "\n".join(problem.inputs.values())
    answered: dict[str, list[str]] = {}
    for line in str(draft.outputs.get(field, "")).splitlines():
        if match := _LABEL.match(line):
            answered.setdefault(match[1], []).append(line)
    kept = {label for label, lines in answered.items() if (lines_solved(text, "\n".join(lines)) == 1) is correct}
    if not kept:
        return None
    outputs = {**draft.outputs, field: _only(str(draft.outputs[field]), kept)}
    return replace(draft, solution=_only(draft.solution, kept), outputs=outputs)


def _only(text: str, labels: set[str]) -> str:
    matches = ((line, _LABEL.match(line)) for line in text.splitlines())
    return "\n".join(line for line, match in matches if match and match[1] in labels)


def _key(inputs: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in inputs.items()))
