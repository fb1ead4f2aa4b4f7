"""A data set cut into what a search may see and what it may not, as its study has it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optimize.request.measure import ProblemsRequest
from optimize.request.sizes import Sizes
from optimize.study.fingerprint import StoredStudy
from pdr_dspy.data import GRADERS, RULE, RULES, Dataset, Rule, split
from pdr_dspy.data_options import load_asked, reading
from pdr_dspy.errors import DataError


@dataclass(frozen=True)
class Problems:
    """A data set cut into what the search may see and what it may not, each cut down to what is used.

    Attributes:
        spec: What was asked for.
        search, report: The two sides.
        search_all, report_all: Problems each side has in all.
        rule: How the set was cut (`pdr_dspy.data.split`).
        whole: The set before it was cut.
    """

    spec: str
    search: Dataset
    report: Dataset
    search_all: int
    report_all: int
    rule: Rule
    whole: Dataset

    def fingerprint(self) -> dict[str, Any]:
        """What of them must stay the same for a study to go on, as plain JSON data."""
        seen = self.search
        cut = {} if self.rule == 1 else {"split": self.rule}
        return {"problems": len(seen), "contents": seen.fingerprint, "grader": seen.grader.name, **cut}


def load(request: ProblemsRequest, *, quiet: bool = False) -> Dataset:
    """The data set that is asked for. What was understood and guessed is told, unless it was before.

    Raises:
        DataError: it can't be read, asked or graded so.
    """
    return load_asked(request.data, reading(request), quiet=quiet)


def load_problems(
    request: ProblemsRequest,
    sizes: Sizes,
    before: Callable[[], StoredStudy | None] = lambda: None,
    *,
    quiet: bool = False,
) -> Problems:
    """Load and cut the data set, by today's rule; where that leaves a side empty, by the rule of the study there is.

    Args:
        request: What is asked for.
        sizes: How many problems of each side are used.
        before: Looks what a study that is there already holds to. Called only where today's rule does not do.
        quiet: Don't tell what was understood: a dry run shows all of it.

    Raises:
        DataError: it can't be read, or one side is empty.
    """
    whole = load(request, quiet=quiet)
    try:
        return _cut(request.data, whole, sizes, RULE)
    except DataError:
        begun = before()
        if begun is None or _rule(begun) == RULE:
            raise
        return _cut(request.data, whole, sizes, _rule(begun))


def as_begun(request: ProblemsRequest, sizes: Sizes, problems: Problems, begun: StoredStudy) -> Problems:
    """The problems as a study that is there already has them, cut and graded as when it was begun.

    Args:
        request: What is asked for; a grader that it names stays.
        sizes: How many problems of each side are used.
        problems: As they are read today.
        begun: What the study holds to.

    Raises:
        DataError: it can't be read so, or one side is empty.
    """
    rule = _rule(begun)
    kind = (begun.grader or "").partition(" within ")[0]
    now = problems.search
    other = now.guessed and kind in GRADERS and kind != now.guessed and (kind == "number" or not request.tolerance)
    if rule == problems.rule and not other:
        return problems
    whole = problems.whole
    if other:
        print(f"data: grader {kind}, with which the study was begun (--grader names another)", file=sys.stderr)
        whole = load(request.model_copy(update={"grader": kind}), quiet=True)  # told before
    return _cut(request.data, whole, sizes, rule)


def _rule(begun: StoredStudy) -> Rule:
    return next((rule for rule in RULES if rule == begun.rule), RULE)


def _cut(spec: str, data: Dataset, sizes: Sizes, rule: Rule) -> Problems:
    search, report = split(data, rule=rule)
    return Problems(
        spec=spec,
        search=search.head(sizes.problems),
        report=report.head(sizes.report_problems),
        search_all=len(search),
        report_all=len(report),
        rule=rule,
        whole=data,
    )
