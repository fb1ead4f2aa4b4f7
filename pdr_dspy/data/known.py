"""The benchmarks known by name: where each lies on the Hub, under which licence, how it is asked and graded.

A file of one's own goes before the Hub: `<name>.jsonl` (or .json, .csv, .tsv, .parquet, each also .gz) in one of the
local directories, for offline machines and pinned files. Their texts are nobody's to redistribute here, so none comes
with this library.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import dspy

from pdr_dspy.data.columns import Columns
from pdr_dspy.data.columns.paths import MISSING, find
from pdr_dspy.data.files import Row, Rows, read_file
from pdr_dspy.data.files.reading import SUFFIXES
from pdr_dspy.data.hf import HubSpec, read_hub
from pdr_dspy.errors import DataError, MissingExtra


class CompetitionProblem(dspy.Signature):
    """Solve the competition problem. The answer is an integer from 0 to 999."""

    problem: str = dspy.InputField()
    answer: str = dspy.OutputField(desc="the integer alone")


class MathProblem(dspy.Signature):
    """Solve the problem."""

    problem: str = dspy.InputField()
    answer: str = dspy.OutputField(desc="the final answer alone, in LaTeX")


class NumberProblem(dspy.Signature):
    """Solve the problem. The answer is a number."""

    problem: str = dspy.InputField()
    answer: str = dspy.OutputField(desc="the number alone")


class ChoiceProblem(dspy.Signature):
    """Answer the multiple-choice question."""

    problem: str = dspy.InputField()
    answer: str = dspy.OutputField(desc="the letter of the right option alone")


_PROBLEM = Columns(("problem",), "answer")
_QUESTION = Columns(("question",), "answer")
_GPQA = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


@dataclass(frozen=True)
class Known:
    """A benchmark: where it lies on the Hub, and how it is asked and graded.

    Attributes:
        name: What it is called here.
        title: Its own name, with the number of problems.
        hub: Where it lies.
        licence: Under which it may be used, as far as known.
        signature: Its input is `problem`, its output `answer`, whatever the columns are called.
        grader: A kind of `make_grader`.
        columns: The Hub's columns.
        gated: Whether the Hub asks for an account that has agreed to its terms.
    """

    name: str
    title: str
    hub: HubSpec
    licence: str
    signature: type[dspy.Signature]
    grader: str
    columns: Columns = _PROBLEM
    gated: bool = False


KNOWN = {
    known.name: known
    for known in (
        Known(
            "aime24", "AIME 2024, 30 problems", HubSpec("HuggingFaceH4/aime_2024", split="train"),
            "see its page; problems of the MAA", CompetitionProblem, "integer",
        ),
        Known(
            "aime25", "AIME 2025, 30 problems", HubSpec("math-ai/aime25", split="test"),
            "see its page; problems of the MAA", CompetitionProblem, "integer",
        ),
        Known(
            "aime26", "AIME 2026, 30 problems", HubSpec("MathArena/aime_2026", split="train"),
            "CC-BY-NC-SA-4.0", CompetitionProblem, "integer",
        ),
        Known(
            "math500", "MATH-500, 500 problems", HubSpec("HuggingFaceH4/MATH-500", split="test"),
            "MIT (that of MATH)", MathProblem, "math",
        ),
        Known(
            "amc23", "AMC 12 of 2023, 40 problems", HubSpec("math-ai/amc23", split="test"),
            "see its page; problems of the MAA", NumberProblem, "number", _QUESTION,
        ),
        Known(
            "hmmt25", "HMMT February 2025, 30 problems", HubSpec("MathArena/hmmt_feb_2025", split="train"),
            "CC-BY-NC-SA-4.0", MathProblem, "math",
        ),
        Known(
            "gsm8k", "GSM8K's test set, 1,319 problems", HubSpec("openai/gsm8k", "main", "test"),
            "MIT", NumberProblem, "number", _QUESTION,
        ),
        Known(
            "minerva", "Minerva's OCWCourses, 272 problems", HubSpec("math-ai/minervamath", split="test"),
            "see its page; from MIT OpenCourseWare (CC-BY-NC-SA-4.0)", MathProblem, "math", _QUESTION,
        ),
        Known(
            "olympiad", "OlympiadBench, mathematics in English without pictures, 674 problems",
            HubSpec("math-ai/olympiadbench", split="test"),
            "see its page", MathProblem, "math", Columns(("question",), "final_answer"),
        ),
        Known(
            "gpqa", "GPQA Diamond, 198 questions", HubSpec("Idavidrein/gpqa", "gpqa_diamond", "train"),
            "CC-BY-4.0", ChoiceProblem, "choice", Columns(("Question",), _GPQA[0], _GPQA), gated=True,
        ),
    )
}  # fmt: skip


def local_directories() -> list[Path]:
    """Where `<name>.jsonl` is looked for, first to last: $PDR_DATA_DIR, ./data, ~/.cache/pdr-dspy/data."""
    named = os.environ.get("PDR_DATA_DIR")
    return [*([Path(named)] if named else []), Path("data"), Path.home() / ".cache" / "pdr-dspy" / "data"]


def local_file(name: str) -> Path | None:
    """The file of one's own with a benchmark's name, if there is one."""
    endings = [*SUFFIXES, *(f"{suffix}.gz" for suffix in SUFFIXES)]
    places = (directory / f"{name}{ending}" for directory in local_directories() for ending in endings)
    return next((path for path in places if path.is_file()), None)


def read_known(known: Known) -> tuple[Rows, Columns]:
    """The benchmark's rows, from a local file or the Hub, and which columns to read.

    Raises:
        DataError: neither can be had; the message says what to do for either.
    """
    fields = tuple(known.signature.input_fields)
    path = local_file(known.name)
    if path is not None:
        rows, columns = _own(read_file(path), known)
        return replace(rows, notes=(*rows.notes, f"{known.name} is {path}")), replace(columns, fields=fields)
    try:
        rows = read_hub(known.hub)
    except (DataError, MissingExtra) as error:
        looked = ", ".join(str(directory) for directory in local_directories())
        terms = (
            f" (it is gated: agree to its terms on huggingface.co/datasets/{known.hub.repo}, then `hf auth login`)"
            if known.gated
            else ""
        )
        own = "problem, options, answer" if known.columns.options else "problem, answer"
        raise DataError(
            "data",
            f"{known.name} is in none of {looked}, and from the Hub: {error.problem}",
            f"Put {known.name}.jsonl (columns {own}) into one of these directories or into $PDR_DATA_DIR; "
            f"or have {known.hub} downloaded, which needs a network and `pip install 'pdr-dspy[hf]'`{terms}.",
        ) from error
    return rows, replace(known.columns, fields=fields)


def _own(rows: Rows, known: Known) -> tuple[Rows, Columns]:
    """A file with our own columns, or with those that the benchmark has on the Hub."""
    options = ("options",) if known.columns.options else ()
    own = Columns(options=options)
    iterator = iter(rows.rows)
    first: Row | None = next(iterator, None)
    if first is None:
        return rows, own
    wanted = (*known.columns.inputs, *filter(None, [known.columns.answer]), *known.columns.options)
    as_hub = all(find(first.cells, name) is not MISSING for name in wanted)
    as_own = all(find(first.cells, name) is not MISSING for name in (*own.inputs, "answer", *options))
    return replace(rows, rows=chain([first], iterator)), known.columns if as_hub and not as_own else own
