"""Pairs of a reference and an answer, each with the word of a careful person. Knows no grader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pdr_dspy.data import Problem
from pdr_dspy.errors import DataError

PAIRS = Path(__file__).parent / "pairs.jsonl"


class Pair(BaseModel):
    """A reference, an answer to it, and whether it is right.

    Attributes:
        reference: The right answer, as a data set has it.
        answer: What a model answered.
        right: What a careful person says who knows the reference only; None where nobody can say.
        kind: Of the grader that should see it; see `pdr_dspy.data.GRADERS`.
        options: Of a multiple-choice problem, the first is A.
        answers: All right answers, where there are several.
        tolerance: As `--tolerance` takes it: `1e-3` relative, `±0.5` absolute.
        shape: What kind of pair this is; pairs are counted by it.
        why: The reason, where it isn't obvious.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    reference: str = Field(min_length=1)
    answer: str
    right: bool | None
    kind: str = "math"
    options: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    tolerance: str | None = None
    shape: str = "all"
    why: str = ""

    @property
    def asked(self) -> tuple[Any, ...]:
        """What a grader is asked: two pairs that agree in it are one."""
        return self.reference, self.answer, self.kind, self.options, self.answers, self.tolerance

    @property
    def problem(self) -> Problem:
        """The problem as a grader sees it."""
        return Problem("pair", {"problem": ""}, self.reference, self.options, self.answers)


def read_pairs(path: Path = PAIRS, kinds: Sequence[str] = ()) -> list[Pair]:
    """The pairs of a JSONL file.

    Args:
        path: One JSON object a line, with the fields of `Pair`; `kind`, `shape` and what is not needed may be left out.
        kinds: Only pairs for these graders. Empty: all.

    Raises:
        DataError: no such file, a line that is no pair, the same pair twice, or nothing left.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("pairs", f"{path} can't be read ({error})", "Give a JSONL file, UTF-8.") from None
    first: dict[tuple[Any, ...], int] = {}
    pairs = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        pair = _pair(line, f"{path}, line {number}")
        if pair.asked in first:
            raise DataError("pairs", f"{path}, line {number} asks what line {first[pair.asked]} asks", "Remove one.")
        first[pair.asked] = number
        if not kinds or pair.kind in kinds:
            pairs.append(pair)
    if not pairs:
        raise DataError("pairs", f"{path} has no pair" + (f" for {', '.join(kinds)}" if kinds else ""), "Write some.")
    return pairs


def _pair(line: str, where: str) -> Pair:
    try:
        return Pair.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the line"
        mend = 'Write {"reference": "1/2", "answer": "0.5", "right": true}; right may be null.'
        raise DataError("pairs", f"{where}: {field}: {first['msg']}", mend) from None
