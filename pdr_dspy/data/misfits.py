"""References that a data set's grader does not expect, and problems that do not show what they ask for. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable

from pdr_dspy.answers import read
from pdr_dspy.answers.choices import offered
from pdr_dspy.data.columns.columns import as_words
from pdr_dspy.data.dataset import Dataset
from pdr_dspy.data.graders.kinds import number
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.typed import fits, type_name

_LETTERS = re.compile(r"\(?[A-Z]\)?(?:(?:\s*[,;&/]\s*|\s+(?:and|or)\s+|)\(?[A-Z]\)?)*\.?")
_LETTER = re.compile(r"\(?[A-Z]\)?\.?")
_DIGITS = re.compile(r"-?\d{1,15}", re.ASCII)
_PLAIN = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_WIDTH = 60
_VALUES = ("ground_truth", "answer", "final_answer", "value", "text", "target", "label", "solution")
"""What the value in an object is usually called, the likeliest first."""
_TEXTS = ("integer", "number", "math", "choice", "words", "exact", "any", "all")
"""Kinds that compare a reference's text."""


def misfits(data: Dataset) -> list[str]:
    """What of a data set's references its grader does not expect, a sentence each, with how many and an example."""
    kind = data.grader.name.partition("(")[0].partition(" ")[0]
    said: list[str] = []
    graded = [problem for problem in data.problems if problem.answer is not None]
    if kind in _TEXTS:
        objects = [problem for problem in graded if _is_object(problem.answer or "")]
        mend = f"name the value in it, as --answer {_value_path(data, objects[0]) if objects else ''}"
        said += _told(objects, graded, "is an object", "are objects", mend)
        graded = [problem for problem in graded if not _is_object(problem.answer or "")] if objects else graded
    if expected := _EXPECTED.get(kind):
        expects, one, many, mend = expected
        said += _told([problem for problem in graded if not expects(problem)], graded, one, many, mend)
    field = data.signature.output_fields.get(data.graded_field or "")
    if kind in _TEXTS and field is not None and field.annotation is not str:
        wanted = f"no value of the type {type_name(field.annotation)}"
        mend = f"no answer can be it; give {data.graded_field} another type in the signature"
        off = [problem for problem in graded if not fits(problem, field.annotation)]
        said += _told(off, graded, f"is {wanted}", f"are {wanted}", mend)
    lettered = [problem for problem in graded if not problem.options and _LETTERS.fullmatch(problem.answer or "")]
    if kind == "choice" or (kind in _TEXTS and 2 * len(lettered) > len(graded)):
        unseen = [problem for problem in lettered if not _shows_options(problem)]
        mend = "its options are not in the prompt: name their columns with --options"
        said += _told(unseen, graded, "is a letter", "are letters", mend)
        several = [problem for problem in lettered if not _LETTER.fullmatch(problem.answer or "")]
        mend = "all of them are wanted; see to it that the problem or --instruction says so"
        said += _told(several, graded, "names several letters", "name several letters", mend)
    return said


def _value_path(data: Dataset, problem: Problem) -> str:
    """The path of a value in a reference that is an object: one that the table has, as far as that is known."""
    found = json.loads(problem.answer or "")
    place = ""
    if isinstance(found, list):
        number = next(number for number, each in enumerate(found) if isinstance(each, dict))
        place, found = f"{number}.", found[number]
    names = list(found)
    if not names:
        return "COLUMN.NAME"
    key = next((name for name in _VALUES if name in names), names[0])
    above = [path.removesuffix(f".{key}") for path in data.columns if path.endswith(f".{key}")]
    field = data.graded_field or "answer"
    held = [name for name in above if all(any(_at(path, f"{name}.{each}") for path in data.columns) for each in names)]
    column = held[0] if held and not place else field if field in data.columns else "COLUMN"
    return shlex.quote(as_words([f"{column}.{place}{key}"]))


def _at(path: str, start: str) -> bool:
    return path == start or path.startswith(f"{start}.")


def _told(found: list[Problem], graded: list[Problem], one: str, many: str, mend: str) -> Iterable[str]:
    if found:
        count = f"{len(found)} of {len(graded)} reference answers {one if len(found) == 1 else many}"
        answer = (found[0].answer or "").strip()
        shown = answer if len(answer) <= _WIDTH else f"{answer[:_WIDTH]}..."
        yield f"{count} (problem {found[0].id}: {shown!r}): {mend}"


def _is_object(answer: str) -> bool:
    """Whether it is a JSON object, or a list with one in it."""
    if not answer.startswith(("{", "[")) or "{" not in answer:
        return False
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))


def _is_number(problem: Problem) -> bool:
    answers = problem.answers or (problem.answer or "",)
    return all(_PLAIN.fullmatch(answer) or number(read(answer)) is not None for answer in answers)


def _is_integer(problem: Problem) -> bool:
    if _DIGITS.fullmatch(problem.answer or ""):  # most are, and reading takes its time
        return True
    found = number(read(problem.answer or ""))
    return found is not None and found.value is not None and found.value.denominator == 1


def _names_options(problem: Problem) -> bool:
    answer = problem.answer or ""
    if any(" ".join(answer.split()) == " ".join(option.split()) for option in problem.options):
        return True
    return offered(read(answer).letters, len(problem.options))


_EXPECTED: dict[str, tuple[Callable[[Problem], bool], str, str, str]] = {
    "integer": (_is_integer, "is no integer", "are no integers", "the grader integer compares integers"),
    "number": (_is_number, "is no number", "are no numbers", "the grader number compares numbers"),
    "choice": (
        _names_options,
        "is no option's letter",
        "are no option's letters",
        "the grader choice compares letters",
    ),
}


def _shows_options(problem: Problem) -> bool:
    """Whether the text has an A and a B as options are written: `A)`, `(B)`, `A.`, `**B**:`."""
    texts = problem.inputs.values()
    return all(any(re.search(rf"(?<!\w)[{letter}]\W{{0,2}}[).:\]]", text) for text in texts) for letter in ("Aa", "Bb"))
