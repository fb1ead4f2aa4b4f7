"""A data set: problems, the signature that reads them, and the grader that judges what comes out.

A value without I/O: loaders make one, `split` cuts one in two, `evaluate` walks through one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import dspy

from pdr_dspy.data.duplicates import same_problems
from pdr_dspy.data.graders import Grader
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.wording import normal_form
from pdr_dspy.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """Problems with their signature and their grader.

    Attributes:
        name: Short name, for tables and runs.
        signature: Reads the problems' inputs, gives the field that is graded.
        problems: At least one, with ids that differ.
        grader: Judges a program's outputs.
        notes: What was understood of where it comes from, and guessed, in sentences to be told.
        columns: Columns there are where it comes from, as paths; empty where there are none.
        guessed: The grader's kind, where nobody said it and it was guessed by the references; else None.
    """

    name: str
    signature: type[dspy.Signature]
    problems: tuple[Problem, ...]
    grader: Grader
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    guessed: str | None = None

    def __post_init__(self) -> None:
        if not self.problems:
            raise DataError("data", f"{self.name} has no problems", "Give at least one.")
        seen: set[str] = set()
        for problem in self.problems:
            if problem.id in seen:
                raise DataError("data", f"{self.name} has the id {problem.id!r} twice", "Give each problem its own.")
            seen.add(problem.id)

    def __len__(self) -> int:
        return len(self.problems)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides a grade: ids, inputs, options and answers in order, and which grader."""
        # What few data sets have stands in the text only where it is there.
        rows = [
            [p.id, sorted(p.inputs.items()), p.answer, *([p.options, p.answers] if p.options or p.answers else [])]
            for p in self.problems
        ]
        text = json.dumps([self.grader.name, rows], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def forms(self) -> list[str]:
        """The problems' normal forms (`wording.normal_form`)."""
        return [normal_form(problem) for problem in self.problems]

    @cached_property
    def groups(self) -> list[list[int]]:
        """Which problems are the same one, or nearly (`same_problems`). Of many problems it takes seconds."""
        return same_problems(self.problems, self.forms)

    @property
    def graded_field(self) -> str | None:
        """The signature's output field that the grader reads, where it says so: what a vote should go by."""
        field = getattr(self.grader, "field", None)
        return field if isinstance(field, str) and field in self.signature.output_fields else None

    def subset(self, ids: Iterable[str]) -> Dataset:
        """The problems with these ids, in this data set's order.

        Raises:
            DataError: an id that is not here, or no id at all.
        """
        wanted = set(ids)
        unknown = wanted - {p.id for p in self.problems}
        if unknown:
            raise DataError("data", f"{self.name} has no problem {sorted(unknown)}", "Use ids of this data set.")
        return self.with_problems(p for p in self.problems if p.id in wanted)

    def head(self, count: int) -> Dataset:
        """The first `count` problems (all of them where there are fewer)."""
        return self.with_problems(self.problems[:count])

    def with_problems(self, problems: Iterable[Problem], name: str | None = None) -> Dataset:
        """The same signature and grader over other problems."""
        return replace(self, problems=tuple(problems), name=name or self.name)
