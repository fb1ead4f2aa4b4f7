"""What the model wrote, as the library reads it, and what an exact checker says of its claims."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import dspy
from tokenizers import Tokenizer

from experiments.reasoner.roles import Claim
from experiments.reasoner.task import answer
from experiments.reasoner.templates import OBJECTIVE
from experiments.reasoner.traces import true_result
from experiments.training.operator_sft.sampler import Completion, Marks
from pdr_dspy.data.worksheets import LABELS, Line, Step, Worksheet, lines_solved, parse_problem
from pdr_dspy.formats import Unread, read
from pdr_dspy.modules.signatures import render_draft, stage_signature
from pdr_dspy.workflow import Stage
from pdr_dspy.workspace import Tokenizer as Counter
from pdr_dspy.workspace import summary_workspace
from pdr_dspy.written import written

_ROW = re.compile(r"^([A-H]): (.+)$", re.MULTILINE)
_STEP = re.compile(r"(\d{1,4}) ([-+*/]) (\d{1,4}) = (\d{1,4})")
_WHOLE = re.compile(rf"{_STEP.pattern}(?:, {_STEP.pattern})*")


@cache
def _signature(stage: Stage) -> type[dspy.Signature]:
    return stage_signature(Worksheet.with_instructions(OBJECTIVE), stage, "")


def said(tokenizer: Tokenizer, marks: Marks, completion: Completion) -> str:
    """The text behind the thinking; "" where the thinking never ends."""
    ids = completion.ids
    if ids and ids[0] == marks.thinking.start:
        if marks.thinking.end not in ids:
            return ""
        ids = ids[ids.index(marks.thinking.end) + 1 :]
    return str(tokenizer.decode(list(ids), skip_special_tokens=False))


def draft_fields(text: str, ended: bool) -> tuple[str, str] | None:
    """Written solution and answer of a draft or refinement; None where the library finds no answer in it."""
    try:
        fields, _ = read(_signature("draft"), written(text), finished=ended)
    except Unread:
        return None
    return written(str(fields["solution"])), str(fields["answer"])


def draft_text(solution: str, answer_field: str) -> str:
    """A draft as later calls read it."""
    return render_draft({"answer": answer_field}, solution)


def workspace_text(text: str, ended: bool, kappa: int, counter: Counter) -> str:
    """The workspace that a distil call wrote, at most `kappa` tokens; "" where it wrote none."""
    try:
        fields, _ = read(_signature("distill"), written(text), finished=ended)
    except Unread:
        return ""
    return summary_workspace(str(fields["workspace"]), kappa, counter)


def sound(line: Line, steps: Sequence[Step], whole: bool = True) -> bool:
    """Whether steps solve a line: every equation holds, each goes on with the one before, every number is used once."""
    if not whole or not steps:
        return False
    for place, step in enumerate(steps):
        if step.op == "/" and (step.right == 0 or step.left % step.right):
            return False
        if true_result(step) != step.result or (place and steps[place - 1].result not in (step.left, step.right)):
            return False
    problem = f"A: {line}"
    return steps[-1].result == line.target and lines_solved(problem, f"A: {answer(tuple(steps))}") == 1


def claims(problem: str, text: str) -> list[Claim]:
    """The claims whose workings stand in a draft or workspace, in its order, judged exactly.

    A row in which no equation can be found claims nothing (`open`, an expression alone).
    """
    lines = parse_problem(problem)
    found = []
    for label, row in _ROW.findall(text):
        steps = tuple(Step(int(a), op, int(b), int(c)) for a, op, b, c in _STEP.findall(row))
        if steps and label in lines:
            right = sound(lines[label], steps, _WHOLE.fullmatch(row) is not None)
            found.append(Claim(LABELS.index(label), steps, right))
    return found
