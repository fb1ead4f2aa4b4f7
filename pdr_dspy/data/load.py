"""A data set by its spec: `worksheets:lines=6`, `aime25`, `math500`, `problems.jsonl`, `hf:org/name:split`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import dspy

from pdr_dspy.data.dataset import Dataset
from pdr_dspy.data.graders import make_grader
from pdr_dspy.data.hf import HubSpec, read_hub
from pdr_dspy.data.jsonl import read_jsonl
from pdr_dspy.data.known import KNOWN, read_known
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.rows import Columns
from pdr_dspy.data.worksheets import SPLITS, Worksheet, worksheets
from pdr_dspy.errors import DataError, InputError

FORMS = f"worksheets[:lines=6,count=200], {', '.join(KNOWN)}, a path.jsonl, or hf:org/name[:split]"


def load_data(
    spec: str,
    *,
    inputs: str | None = None,
    answer: str | None = None,
    grader: str | None = None,
    signature: type[dspy.Signature] | None = None,
    limit: int | None = None,
) -> Dataset:
    """Load a data set.

    Args:
        spec: `worksheets` with options `lines`, `count`, `split` (`search`, `report` or `train`; default: half of the
            count from each of the first two) and `seed`; `aime24`, `aime25`, `math500`; a JSONL file;
            `hf:org/name[:split]` or `hf:org/name:config:split`.
        inputs: Input columns of a file or Hub data set, separated by commas. Default: `problem`.
        answer: Its column of reference answers, and the field a program is to give. Default: `answer`.
        grader: `exact`, `math`, `integer` or `worksheet`. Default: the data set's own; `math` for files and the Hub.
        signature: A signature of your own over the inputs; its last output field is graded where it has no field of
            the answer's name. Default: the data set's own, or `inputs -> answer`.
        limit: Only the first problems.

    Raises:
        DataError: an unknown spec or option, or data that can't be read.
    """
    if limit is not None and limit < 1:
        raise DataError("limit", f"{limit} problems are none", "Give 1 or more.")
    name, _, rest = spec.partition(":")
    own = name == "worksheets" or (name in KNOWN and not rest)
    if own and (inputs or answer):
        raise DataError("inputs", f"{name} has its own fields", "Leave out --inputs and --answer.")
    problems: list[Problem]
    if name == "worksheets":
        kind, default = grader or "worksheet", Worksheet
        problems = _worksheets(rest)
    elif own:
        known = KNOWN[name]
        kind, default = grader or known.grader, known.signature
        problems = read_known(known)
    else:
        kind = grader or "math"
        columns = Columns.parse(inputs, answer, needs_answer=kind != "worksheet")
        default = dspy.Signature(f"{', '.join(columns.inputs)} -> {answer or 'answer'}")
        problems = _read_table(spec, rest if name == "hf" else None, columns)
    chosen = signature or default
    judge = make_grader(kind, _graded_field(chosen, problems[0], answer or "answer"))
    if judge.needs_answer and any(problem.answer is None for problem in problems):
        raise DataError("grader", f"{spec} has no reference answers for the grader {kind!r}", "Leave out --grader.")
    return Dataset(spec, chosen, tuple(problems[:limit]), judge)


def _read_table(spec: str, hub: str | None, columns: Columns) -> list[Problem]:
    if hub is not None:
        return read_hub(HubSpec.parse(hub), columns)
    path = Path(spec).expanduser()
    if not path.exists() and path.suffix not in (".jsonl", ".json") and "/" not in spec:
        raise DataError("data", f"{spec!r} is no data set", f"Use {FORMS}.")
    return read_jsonl(path, columns)


def _graded_field(signature: type[dspy.Signature], first: Problem, answer: str) -> str:
    missing = set(signature.input_fields) - set(first.inputs)
    if missing:
        raise DataError(
            "signature",
            f"its inputs {', '.join(sorted(missing))} are not in the data",
            f"Inputs there: {', '.join(first.inputs)}.",
        )
    outputs = list(signature.output_fields)
    return answer if answer in outputs else outputs[-1]


_OPTIONS: Mapping[str, int] = {"lines": 4, "count": 200, "seed": 0}


def _worksheets(text: str) -> list[Problem]:
    mend = "Write worksheets:lines=6,count=200,seed=0,split=search (each may be left out)."
    numbers, split = dict(_OPTIONS), ""
    seen: set[str] = set()
    for part in text.split(",") if text else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in (*_OPTIONS, "split") or key in seen:
            raise DataError("data", f"worksheets has no option {part!r}, or has it twice", mend)
        seen.add(key)
        if key == "split":
            split = value
        elif value.isdecimal() and len(value) < 8:
            numbers[key] = int(value)
        else:
            raise DataError("data", f"worksheets: {key} is {value!r}, no number", mend)
    known = next((each for each in SPLITS if each == split), None)
    if split and known is None:
        raise DataError("data", f"worksheets: there is no split {split!r}", f"Use one of {', '.join(SPLITS)}.")
    lines, count, seed = numbers["lines"], numbers["count"], numbers["seed"]
    try:
        if known is not None:
            made = worksheets(count, lines, known, seed)
        else:
            # In turns, so that a limit leaves as many of either.
            search = worksheets((count + 1) // 2, lines, "search", seed)
            report = worksheets(count // 2, lines, "report", seed)
            made = [*search, *report]
            made[0::2], made[1::2] = search, report
    except InputError as error:
        raise DataError("data", f"worksheets: {error.problem}", error.mend) from error
    if not made:
        raise DataError("data", "worksheets: count is 0", mend)
    return made
