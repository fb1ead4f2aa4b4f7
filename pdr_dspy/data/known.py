"""The benchmarks known by name: AIME 2024, AIME 2025 and MATH-500.

Each is looked for as `<name>.jsonl` in the local directories first (offline machines, pinned files), then on the Hub.
Their texts are nobody's to redistribute here, so none comes with this library.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import dspy

from pdr_dspy.data.hf import HubSpec, read_hub
from pdr_dspy.data.jsonl import read_jsonl
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.rows import Columns
from pdr_dspy.errors import DataError


class CompetitionProblem(dspy.Signature):
    """Solve the competition problem. The answer is an integer from 0 to 999."""

    problem: str = dspy.InputField()
    answer: str = dspy.OutputField(desc="the integer alone")


class MathProblem(dspy.Signature):
    """Solve the problem."""

    problem: str = dspy.InputField()
    answer: str = dspy.OutputField(desc="the final answer alone, in LaTeX")


@dataclass(frozen=True)
class Known:
    """A benchmark: where it lies on the Hub, and how it is asked and graded."""

    name: str
    hub: HubSpec
    signature: type[dspy.Signature]
    grader: str


KNOWN = {
    known.name: known
    for known in (
        Known("aime24", HubSpec("HuggingFaceH4/aime_2024", split="train"), CompetitionProblem, "integer"),
        Known("aime25", HubSpec("math-ai/aime25", split="test"), CompetitionProblem, "integer"),
        Known("math500", HubSpec("HuggingFaceH4/MATH-500", split="test"), MathProblem, "math"),
    )
}


def local_directories() -> list[Path]:
    """Where `<name>.jsonl` is looked for, first to last: $PDR_DATA_DIR, ./data, ~/.cache/pdr-dspy/data."""
    named = os.environ.get("PDR_DATA_DIR")
    return [*([Path(named)] if named else []), Path("data"), Path.home() / ".cache" / "pdr-dspy" / "data"]


def read_known(known: Known) -> list[Problem]:
    """The benchmark's problems, from a local file or the Hub.

    Raises:
        DataError: neither can be had; the message says what to do for either.
    """
    columns = Columns()
    for directory in local_directories():
        path = directory / f"{known.name}.jsonl"
        if path.is_file():
            return read_jsonl(path, columns)
    try:
        return read_hub(known.hub, columns)
    except DataError as error:
        looked = ", ".join(str(directory) for directory in local_directories())
        raise DataError(
            "data",
            f"{known.name} is in none of {looked}, and from the Hub: {error.problem}",
            f"Put {known.name}.jsonl (columns problem, answer) into one of these directories or into $PDR_DATA_DIR; "
            f"or have {known.hub} downloaded, which needs a network and `pip install pdr-dspy[hf]`.",
        ) from error
