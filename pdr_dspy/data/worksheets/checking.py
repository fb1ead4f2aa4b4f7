"""Whether an answer solves a worksheet, and whether two answers solve it alike. Linear in the text."""

from __future__ import annotations

import re
from typing import Any

from pdr_dspy.data.worksheets.arithmetic import evaluate
from pdr_dspy.data.worksheets.lines import Line

_PUZZLE = re.compile(r"([A-Z]):\s*make\s+(\d{1,9})\s+from\s+(\d{1,9}(?:\s*,\s*\d{1,9})*)")
_LABEL = re.compile(r"([A-Z]):")
_RESULT = re.compile(r"-?\d+")
_BELOW = re.compile(r"=\s*-?\d+")
_LONGEST_RESULT = 18
"""Characters of a result that is read as a number."""


def parse_problem(text: str) -> dict[str, Line]:
    """The worksheet's lines by label."""
    return {
        label: Line(tuple(int(number) for number in numbers.split(",")), int(target))
        for line in text.split("\n")
        if (found := _PUZZLE.fullmatch(line.strip())) is not None
        for label, target, numbers in [found.groups()]
    }


def answered(text: str) -> list[tuple[str, str, str]]:
    """What an answer writes behind the labels, in order: label, expression, and the result beside it ("": none).

    `A: (7 * 4) + 13 = 41`; the expression, and `= 41`, may stand on lines of their own. What has anything behind the
    result is no answer. Linear in the text.
    """
    lines = [line for each in text.split("\n") if (line := each.strip())]
    found: list[tuple[str, str, str]] = []
    for i, line in enumerate(lines):
        if (label := _LABEL.match(line)) is None:
            continue
        rest, behind = line[label.end() :].strip(), i + 1
        if not rest and behind < len(lines) and not _LABEL.match(lines[behind]):
            rest, behind = lines[behind], behind + 1
        if "=" not in rest and behind < len(lines) and _BELOW.fullmatch(lines[behind]):
            rest += lines[behind]
        formula, equals, result = (part.strip() for part in rest.partition("="))
        if equals and not result and behind < len(lines):
            result = lines[behind]
        if formula and (not equals or _RESULT.fullmatch(result)):
            found.append((label[1], formula, result))
    return found


def lines_solved(problem_text: str, answer_text: str) -> int:
    """How many of the worksheet's lines the answer solves (`A: expression` a line; `= result` may follow).

    A label answered more than once counts only where every answer holds.
    """
    answers: dict[str, list[tuple[str, str]]] = {}
    for label, formula, result in answered(answer_text):
        answers.setdefault(label, []).append((formula, result))
    return sum(
        bool(answers.get(label)) and all(_holds(line, *answer) for answer in answers[label])
        for label, line in parse_problem(problem_text).items()
    )


def worksheet_correct(problem_text: str, answer_text: str) -> bool:
    """Whether the answer solves every line of the worksheet."""
    lines = len(parse_problem(problem_text))
    return lines > 0 and lines_solved(problem_text, answer_text) == lines


def same_worksheet(first: str, second: str) -> bool:
    """Whether two answers solve a worksheet alike: each line reaches the same number with the same numbers.

    So all right answers are the same, and none of them is the same as a wrong one.
    """
    one, other = _said(first), _said(second)
    return one == other if one or other else first.split() == second.split()


def _said(answer_text: str) -> dict[str, set[tuple[Any, ...]]]:
    """What an answer says of each line: value and numbers of its expressions, with the result that stands beside."""
    said: dict[str, set[tuple[Any, ...]]] = {}
    for label, formula, result in answered(answer_text):
        evaluated = evaluate(formula)
        if evaluated is None:
            said.setdefault(label, set()).add(("".join(formula.split()), result))
        else:
            value, used = evaluated
            # A result that is right adds nothing.
            beside = None if not result or _number(result) == value else _number(result)
            said.setdefault(label, set()).add((value, tuple(sorted(used)), beside))
    return said


def _holds(line: Line, formula: str, result: str) -> bool:
    evaluated = evaluate(formula)
    if evaluated is None or (result and _number(result) != line.target):
        return False
    value, used = evaluated
    return value == line.target and sorted(used) == sorted(line.numbers)


def _number(result: str) -> int | str:
    """A result as a number; as its text where it is longer than any result can be."""
    return int(result) if len(result) <= _LONGEST_RESULT else result
