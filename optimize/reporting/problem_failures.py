"""What went wrong, problem by problem, as a part of a study's page: failures, what calls wrote, how drafts were read.

Made of what is kept with a measurement (`optimize.objectives.troubles`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optimize.reporting.html import rows_table, shown
from optimize.reporting.numbers import counts

_HEAD = (
    "problem",
    "right",
    "failure",
    "drafts",
    "read leniently",
    "failed call",
    "detail",
    "wrote",
    "in its place",
)


def problem_failures(measured: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The part of the page; "" where nothing went wrong.

    Args:
        measured: Workflows in a line, with their measurements as they are kept.
    """
    parts = [_one(title, plain["troubles"]) for title, plain in measured if plain.get("troubles")]
    if not parts:
        return ""
    note = (
        "Problems that failed, lost a call, or had drafts that were not written as their format asks for. Calls of a "
        "problem that failed alike are one line with the first one's text, cut; MLflow's tables have all of them."
    )
    return f"<h2>What went wrong</h2><p>{note}</p>{''.join(parts)}"


def _one(title: str, troubles: Sequence[Mapping[str, Any]]) -> str:
    failed: dict[str, int] = {}
    for each in troubles:
        if each["failure"]:
            failed[each["failure"]] = failed.get(each["failure"], 0) + 1
    fell = sum(any(call["fallback"] for call in each["calls"]) for each in troubles)
    lenient = sum(sum(each["read"].values()) for each in troubles)
    told = [
        f"problems failed: {counts(failed)}" if failed else "",
        f"problems with a fallback: {fell}" if fell else "",
        f"drafts read leniently: {lenient}" if lenient else "",
    ]
    lead = "; ".join(part for part in told if part) or "calls failed, no problem did"
    several = len({each["sample"] for each in troubles}) > 1
    rows = [row for each in troubles for row in _rows(each, several)]
    table = rows_table(_HEAD, rows, text=(0, 2, 4, 5, 6, 7, 8))
    return f"<details><summary>{shown(f'{title}: {lead}')}</summary>{table}</details>"


def _rows(trouble: Mapping[str, Any], several: bool) -> list[tuple[str, ...]]:
    failure = f"{trouble['failure']}: {trouble['detail']}" if trouble["failure"] else ""
    own = (
        f"{trouble['problem']}, sample {trouble['sample']}" if several else trouble["problem"],
        "yes" if trouble["correct"] else "no",
        failure,
        str(trouble["drafts"]),
        counts(trouble["read"]),
    )
    calls = [
        (
            f"{call['stage'] or 'call'}: {call['kind']}" + (f" x{call['count']}" if call["count"] > 1 else ""),
            call["detail"],
            call["text"],
            call["fallback"],
        )
        for call in trouble["calls"]
    ] or [("", "", "", "")]
    first, *others = calls
    return [(*own, *first), *(("",) * len(own) + call for call in others)]
