"""What went wrong in a measurement, problem by problem, short enough to be kept with a trial. Pure; plain data.

A tracker has every failed call with what it wrote. A study's storage has this: calls of a problem that failed alike
are one entry with the first one's text, and texts are the shorter the more there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pdr_dspy.evaluation import Evaluation, ProblemResult
from pdr_dspy.evaluation.runs import cut
from pdr_dspy.formats import MARKS
from pdr_dspy.modules.records import FailedCall, RunRecord

LONGEST, SHORTEST = 300, 40
"""Characters of a text at most; and at most where there are very many."""

ALL = 24_000
"""Characters of all texts of a measurement, about, as long as that leaves them `SHORTEST`."""

_OWN = ("reasoning", "pdr_reasoning")  # the written solution stands beside the answer

Trouble = dict[str, Any]
"""A (problem, sample) with `failure`, `detail`, failed `calls`, and how drafts were `read`; see `troubles`."""


def troubles(evaluation: Evaluation) -> tuple[Trouble, ...]:
    """An entry for each result that failed, lost a call, or was read leniently, in the results' order."""
    odd = [r for r in evaluation.results if r.failure is not None or r.failed_calls or r.lenient]
    alike = [_alike(r) for r in odd]
    length = max(SHORTEST, min(LONGEST, ALL // max(1, sum(map(len, alike)))))
    return tuple(_entry(r, groups, length) for r, groups in zip(odd, alike, strict=True))


def quoted(evaluation: Evaluation) -> str:
    """One text that did not help: what a failed call wrote, rather than a wrong answer; "" where there is none."""
    wrong = [result for result in evaluation.results if not result.correct]
    texts = (call.text for result in wrong for call in result.failed_calls)
    said = (text for result in wrong if result.outputs is not None and (text := _answer(result)))
    found = next((line for text in texts if (line := _line(text))), None) or next(said, "")
    return cut(found, LONGEST)


def _answer(result: ProblemResult) -> str:
    shown = {k: v for k, v in (result.outputs or {}).items() if k not in _OWN and not isinstance(v, RunRecord)}
    return ", ".join(f"{name}: {_line(str(value))}" for name, value in shown.items())


def _alike(result: ProblemResult) -> list[list[FailedCall]]:
    groups: dict[tuple[str, str, str], list[FailedCall]] = {}
    for failed in result.failed_calls:
        groups.setdefault((failed.stage, failed.kind, failed.fallback), []).append(failed)
    return list(groups.values())


def _entry(result: ProblemResult, groups: Sequence[Sequence[FailedCall]], length: int) -> Trouble:
    return {
        "problem": result.problem,
        "sample": result.sample,
        "correct": result.correct,
        "failure": result.failure or "",
        "detail": cut(result.detail, LONGEST) if result.failure else "",
        "read": {how: count for how, count in result.reads.items() if how != MARKS},
        "drafts": result.drafts,
        "calls": [_group(calls, length) for calls in groups],
    }


def _group(calls: Sequence[FailedCall], length: int) -> dict[str, Any]:
    first = next((call for call in calls if call.text.strip()), calls[0])
    return {
        "stage": first.stage,
        "kind": first.kind,
        "count": len(calls),
        "detail": cut(first.detail, length),
        "text": cut(_line(first.text), length),
        "fallback": first.fallback,
    }


def _line(text: str) -> str:
    return " ".join(text.split())
