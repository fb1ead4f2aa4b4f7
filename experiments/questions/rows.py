"""Results on disk: a file of lines for everything measured, a line a (problem, sample), appended as they come.

A line is keyed by what the problem says, not by its name, and the file by all that determines the results; so a run
that was killed goes on with the problem it was at, and other weights, caps or prompts begin a file of their own. What
the server failed is not kept: it is asked again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from pydantic import TypeAdapter

from experiments.kept import parsed
from pdr_dspy.data import Dataset, Problem
from pdr_dspy.endpoint import Identity
from pdr_dspy.evaluation import ProblemResult
from pdr_dspy.evaluation.runs import cut
from pdr_dspy.ledger import Meters
from pdr_dspy.modules import PDR, RunRecord
from pdr_dspy.modules.records import FailedCall

FORM = 1
"""Counted up when lines written before can't be read any more, or mean something else."""

_TEXT = 200  # characters kept of what a failed call wrote


@dataclass(frozen=True)
class Row:
    """One result, and what its run says beside the meters (`distilled` rounds, and `unread` ones among them)."""

    result: ProblemResult
    extra: Mapping[str, float]


def row_of(result: ProblemResult) -> Row:
    """A row from a fresh result. A round that read an empty workspace after a distiller is `unread`."""
    runs = [v for v in (result.outputs or {}).values() if isinstance(v, RunRecord)]
    later = [r for run in runs for r in run.rounds[1:]]
    extra = {"distilled": float(len(later)), "unread": float(sum(not any(r.workspaces) for r in later))}
    # Texts and call records of ten thousand runs would fill the memory; the store has them.
    failed = tuple(replace(call, text=cut(call.text, _TEXT)) for call in result.failed_calls)
    return Row(replace(result, outputs=None, records=(), failed_calls=failed), extra if runs else {})


def fingerprint(program: PDR, data: Dataset, identity: Identity, rule: str) -> str:
    """What determines results besides the problem: model, how its card has it asked, strategy, prompts, seed, grader,
    admission rule."""
    stages = {
        name: [p.signature.instructions, {k: str(f) for k, f in p.signature.fields.items()}]
        for name, p in program.named_predictors()
    }
    strategy = program.workflow.model_dump(exclude={"name"})
    parts = [FORM, identity.model, identity.revision, identity.context, asdict(identity.recommended), strategy, stages,
             program.seed, data.grader.name, rule]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


def problem_key(problem: Problem) -> str:
    """A problem by what it says."""
    several = [problem.answers] if problem.answers else []
    text = json.dumps([sorted(problem.inputs.items()), problem.answer, *several], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class _Kept:
    """A line of the file."""

    key: str
    sample: int
    correct: bool
    failure: str | None
    detail: str
    meters: Meters
    wall_seconds: float
    extra: dict[str, float]
    failed_calls: tuple[FailedCall, ...] = ()
    reads: dict[str, int] = field(default_factory=dict)


_KEPT = TypeAdapter(_Kept)


class Rows:
    """The rows of one file; made where there is none.

    Args:
        path: The file.
        problems: The problems whose rows are wanted.

    Raises:
        DataError: a line of the file is no row.
    """

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self._keys = {p.id: problem_key(p) for p in problems}
        self._ids: dict[str, list[str]] = {}
        for problem, key in self._keys.items():
            self._ids.setdefault(key, []).append(problem)  # a data set may have a problem twice
        self.kept: dict[tuple[str, int], Row] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = path.open("a+", encoding="utf-8", errors="surrogateescape")
        self._read()

    def _read(self) -> None:
        self._file.seek(0)
        text = self._file.read()
        whole = text.rfind("\n") + 1
        if whole < len(text):  # a process was killed while it wrote
            self._file.truncate(len(text[:whole].encode("utf-8", "surrogateescape")))
        for number, line in enumerate(text[:whole].split("\n")[:-1], start=1):
            kept = parsed(line, _KEPT, f"{self._file.name}, line {number}", "Remove the line: it is measured again")
            for problem in self._ids.get(kept.key, ()):
                self.kept[problem, kept.sample] = _row(problem, kept)

    def add(self, row: Row) -> None:
        """Keep a row, on disk as well."""
        result = row.result
        plain: dict[str, Any] = {
            "key": self._keys[result.problem],
            "sample": result.sample,
            "correct": result.correct,
            "failure": result.failure,
            "detail": result.detail,
            "meters": asdict(result.meters),
            "wall_seconds": result.wall_seconds,
            "failed_calls": [asdict(call) for call in result.failed_calls],
            "reads": dict(result.reads),
            "extra": dict(row.extra),
        }
        self._file.write(json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._file.flush()
        self.kept[result.problem, result.sample] = row

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _row(problem: str, kept: _Kept) -> Row:
    result = ProblemResult(
        problem=problem,
        sample=kept.sample,
        correct=kept.correct,
        outputs=None,
        failure=kept.failure,
        detail=kept.detail,
        meters=kept.meters,
        wall_seconds=kept.wall_seconds,
        failed_calls=kept.failed_calls,
        reads=kept.reads,
    )
    return Row(result, kept.extra)
