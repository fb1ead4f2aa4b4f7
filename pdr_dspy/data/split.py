"""Two halves that never meet: what a search selects on, and what its result is reported on.

A problem's side follows from a hash of its inputs alone. So it stays where it is when the file is reordered, cut short
or grows, and two copies of a problem fall on the same side. Problems that name their own side (worksheets, whose
lines are kept apart as well; a `split` column of `search` or `report`) stay on it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pdr_dspy.data.dataset import Dataset
from pdr_dspy.data.problem import Problem
from pdr_dspy.errors import DataError

Side = Literal["search", "report"]


def split(dataset: Dataset, *, report_share: float = 0.5, salt: str = "pdr") -> tuple[Dataset, Dataset]:
    """Cut a data set into what a search may see and what it may not.

    Args:
        dataset: What to cut.
        report_share: Chance of a problem to be on the report side, above 0 and below 1. The sides' sizes follow it
            only about, the more so the smaller the set.
        salt: Another salt, another cut.

    Returns:
        The search side and the report side, both in the data set's order.

    Raises:
        DataError: a share out of range, or a side that is empty.
    """
    if not 0 < report_share < 1:
        raise DataError("report_share", f"{report_share} leaves one side empty", "Give a share between 0 and 1.")
    sides: dict[Side, list[Problem]] = {"search": [], "report": []}
    for problem in dataset.problems:
        sides[side_of(problem, report_share, salt)].append(problem)
    for name, problems in sides.items():
        if not problems:
            raise DataError(
                "data",
                f"none of the {len(dataset)} problems of {dataset.name} is on the {name} side",
                "Give more problems, or another report share.",
            )
    search = dataset.with_problems(sides["search"], f"{dataset.name} (search)")
    return search, dataset.with_problems(sides["report"], f"{dataset.name} (report)")


def side_of(problem: Problem, report_share: float = 0.5, salt: str = "pdr") -> Side:
    """The side one problem is on."""
    declared = problem.extra.get("split")
    if declared == "search" or declared == "report":
        return "search" if declared == "search" else "report"
    text = json.dumps([salt, sorted(problem.inputs.items())], ensure_ascii=False)
    point = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
    return "report" if point < report_share else "search"
