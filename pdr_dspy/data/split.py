"""Two halves that never meet: what a search selects on, and what its result is reported on.

A problem's side follows from a hash of its text's normal form alone (`wording.normal_form`). So it stays where it is
when the file is reordered, cut short, grows or is written in another way, and two copies of a problem fall on the same
side. Near-duplicates (`duplicates.same_problems`) stay together, on the side of the one whose form comes first in the
alphabet. Problems that name their own side (worksheets, whose lines are kept apart as well; a `split` column of
`search` or `report`) stay on it, and take their copies there.

When a file grows, a problem can change its side for one reason only: the groups of near-duplicates are others. One came
that is near to it and comes first or names its side, or so many of one template that they are no copies.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pdr_dspy.data.dataset import Dataset
from pdr_dspy.data.duplicates import same_problems
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.wording import normal_form
from pdr_dspy.errors import DataError

Side = Literal["search", "report"]
Rule = Literal[1, 2, 3]

RULES: tuple[Rule, ...] = (1, 2, 3)

RULE: Rule = 3
"""How problems find their side today. Older ones are kept for studies begun with them: 1 hashed the inputs to the
letter, 2 counted labels such as "Problem 3:" as part of a problem. A problem without labels has one side by 2 and 3."""


def split(
    dataset: Dataset, *, report_share: float = 0.5, salt: str = "pdr", rule: Rule = RULE
) -> tuple[Dataset, Dataset]:
    """Cut a data set into what a search may see and what it may not.

    Args:
        dataset: What to cut.
        report_share: Chance of a problem to be on the report side, above 0 and below 1. The sides' sizes follow it
            only about, the more so the smaller the set.
        salt: Another salt, another cut.
        rule: Of an older study, to cut as it was cut then.

    Returns:
        The search side and the report side, both in the data set's order.

    Raises:
        DataError: a share out of range, or a side that is empty.
    """
    if not 0 < report_share < 1:
        raise DataError("report_share", f"{report_share} leaves one side empty", "Give a share between 0 and 1.")
    sides: dict[Side, list[Problem]] = {"search": [], "report": []}
    for problem, side in zip(dataset.problems, _sides(dataset, report_share, salt, rule), strict=True):
        sides[side].append(problem)
    for name, problems in sides.items():
        if not problems:
            raise DataError(
                "data",
                f"none of the {len(dataset)} problems of {dataset.name} is on the {name} side",
                "Give more problems, or another report share.",
            )
    search = dataset.with_problems(sides["search"], f"{dataset.name} (search)")
    return search, dataset.with_problems(sides["report"], f"{dataset.name} (report)")


def side_of(problem: Problem, report_share: float = 0.5, salt: str = "pdr", *, rule: Rule = RULE) -> Side:
    """The side of one problem alone; `split` keeps near-duplicates together and may put it on another one's side."""
    return _declared(problem) or _hashed(_text(problem, salt, rule), report_share)


def _sides(dataset: Dataset, report_share: float, salt: str, rule: Rule) -> list[Side]:
    problems = dataset.problems
    if rule == 1:
        return [side_of(problem, report_share, salt, rule=rule) for problem in problems]
    if rule == 2:
        forms = [normal_form(problem, labelled=True) for problem in problems]
        groups = same_problems(problems, forms)
    else:
        forms, groups = dataset.forms, dataset.groups
    found: dict[int, Side] = {}
    for group in groups:
        ordered = sorted(group, key=forms.__getitem__)
        told = {index: side for index in ordered if (side := _declared(problems[index]))}
        # Copies of problems that are on both sides are searched on: nothing that a search saw may be reported on.
        common: Side | None = "search" if "search" in told.values() else "report" if told else None
        side = common or _hashed(_keyed(forms[ordered[0]], salt), report_share)
        found.update({index: told.get(index, side) for index in group})
    return [found[index] for index in range(len(problems))]


def _declared(problem: Problem) -> Side | None:
    declared = problem.extra.get("split")
    return declared if declared == "search" or declared == "report" else None


def _text(problem: Problem, salt: str, rule: Rule) -> str:
    if rule == 1:
        return json.dumps([salt, sorted(problem.inputs.items())], ensure_ascii=False)
    return _keyed(normal_form(problem, labelled=rule == 2), salt)


def _keyed(form: str, salt: str) -> str:
    # 2 in later rules as well: most problems stay where they are.
    return json.dumps([salt, 2, form], ensure_ascii=False)


def _hashed(text: str, report_share: float) -> Side:
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return "report" if int.from_bytes(digest[:8], "big") / 2**64 < report_share else "search"
