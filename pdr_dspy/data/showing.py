"""What was understood of a data set, as text for people. Nothing is asked."""

from __future__ import annotations

from collections.abc import Iterable

import dspy

from pdr_dspy.data.checks import Doubts, doubts, listed
from pdr_dspy.data.columns.columns import as_words
from pdr_dspy.data.dataset import Dataset
from pdr_dspy.data.misfits import misfits
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.split import RULE, Rule, split
from pdr_dspy.data.typed import type_name
from pdr_dspy.errors import DataError
from pdr_dspy.formats import DEFAULT, adapter
from pdr_dspy.messages import formatted
from pdr_dspy.modules.signatures import stage_signature
from pdr_dspy.prompts import instruction
from pdr_dspy.workflow import Format

_WIDTH = 110
_COLUMN = 11


def described(data: Dataset, show: int = 3, style: Format = DEFAULT, rule: Rule = RULE) -> str:
    """What every command shows of a data set before anything is spent on it.

    Args:
        data: The data set.
        show: How many problems are shown as the model sees them.
        style: The prompts' format.
        rule: How the set is cut in two.
    """
    found = doubts(data.problems, data.groups)
    lines = [
        *_row("data", [f"{data.name}: {len(data):,} problems"]),
        *_row("columns", [", ".join(as_words([name]) for name in data.columns)] if data.columns else []),
        *_row("understood", data.notes),
        *_row("grader", [data.grader.name]),
        *_row("asked", _asked(data)),
        *_row("split", [_sides(data, rule)]),
        *_row("copies", _copies(found)),
        *_row("doubts", _doubts(found, misfits(data))),
    ]
    for number, problem in enumerate(data.problems[:show], start=1):
        head = f"problem {number} of {len(data):,} (id {problem.id}), as a draft is asked for it in the format {style}"
        lines += ["", f"--- {head}", as_asked(data, problem, style), *_reference(problem)]
    return "\n".join(lines)


def as_asked(data: Dataset, problem: Problem, style: Format = DEFAULT) -> str:
    """The prompt of a draft, as the messages have it."""
    signature = stage_signature(data.signature, "draft", instruction("draft", "default"), as_trained=False)
    messages = formatted(adapter(style), signature, [], problem.inputs)
    return "\n\n".join(f"[{each['role']}]\n{each['content']}" if messages[1:] else each["content"] for each in messages)


def _asked(data: Dataset) -> list[str]:
    def fields(given: dict[str, object]) -> str:
        return ", ".join(
            name if annotation is str else f"{name}: {type_name(annotation)}"
            for name, field in given.items()
            for annotation in [getattr(field, "annotation", str)]
        )

    signature = data.signature
    outputs = [f"{n}: {d}" for n, f in signature.output_fields.items() if (d := f.json_schema_extra.get("desc"))]
    # What DSPy says of fields alone is not shown to a model.
    names = f"{', '.join(signature.input_fields)} -> {', '.join(signature.output_fields)}"
    said = signature.instructions.strip().splitlines()
    described = [line for line in outputs if not line.endswith("}")]  # DSPy writes ${name} where nothing is said
    return [
        f"{fields(signature.input_fields)} -> {fields(signature.output_fields)}",
        *([] if signature.instructions == dspy.Signature(names).instructions else said),
        *described,
    ]


def _sides(data: Dataset, rule: Rule) -> str:
    try:
        search, report = split(data, rule=rule)
    except DataError as error:
        return f"can't be split: {error.problem}"
    return f"{len(search):,} for a search, {len(report):,} for its report"


def _copies(found: Doubts) -> list[str]:
    lines = []
    for groups, what in ((found.copies, "the same text"), (found.near, "nearly the same text")):
        if groups:
            count = f"{len(groups)} groups" if groups[1:] else "1 group"
            lines.append(f"{count} with {what}: {listed(' = '.join(ids) for ids in groups)}")
    return lines or ["none"]


def _doubts(found: Doubts, misfitting: list[str]) -> list[str]:
    lines = [f"different answers to one problem: {' = '.join(ids)}" for ids in found.contradicting[:10]]
    if found.prose:
        lines.append(f"reference answers that are sentences: problems {listed(found.prose)}")
    if found.nothing:
        lines.append(f"reference answers that look like none: problems {listed(found.nothing)}")
    return [*lines, *misfitting] or ["none"]


def _reference(problem: Problem) -> list[str]:
    if problem.answer is None:
        return ["--- no reference answer: the grader decides from the problem"]
    option = problem.option(problem.answer)
    if option is not None:
        return [f"--- reference answer: {problem.answer} ({_cut(option)})"]
    return [f"--- reference answer: {' | '.join(problem.right)}"]


def _row(head: str, lines: Iterable[str]) -> list[str]:
    return [f"{head if not number else '':<{_COLUMN}} {line}" for number, line in enumerate(lines)]


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
