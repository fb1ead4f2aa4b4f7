"""What a search or a run comes to, for whoever called it in Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from optimize.objectives.front import Title
from optimize.reporting.report import Report
from pdr_dspy.budget import Budget
from pdr_dspy.errors import InputError
from pdr_dspy.workflow import Workflow, parse_workflow


@dataclass(frozen=True)
class SearchResult:
    """How a search ended.

    Attributes:
        ending: `reported`; `interrupted` (the same request goes on); `elsewhere` (another worker of the study reports,
            or has); `planned` (a dry run: nothing was generated).
        study: The study's name.
        directory: Where its state is, and its report.
        budget: What one problem might cost: a workflow that won is to be run with it.
        report: The measured workflows; None where this process did not report.
    """

    ending: Literal["reported", "interrupted", "elsewhere", "planned"]
    study: str
    directory: Path
    budget: Budget
    report: Report | None = field(default=None, repr=False)

    def workflow(self, title: Title = "best") -> Workflow | None:
        """The workflow that won on the search's problems; None where nothing did.

        What it leaves to the budget it has of that alone: `PDR(signature, found.workflow(), budget=found.budget)`.

        Args:
            title: `best` (the most accurate), `near` (the fastest within a point of it) or `knee`.

        Raises:
            InputError: there is no such title.
        """
        if title not in get_args(Title):
            raise InputError("title", f"{title!r} is none", f"Use one of {', '.join(get_args(Title))}")
        rows = () if self.report is None else self.report.rows
        found = next((row for row in rows if title in row.titles), None)
        return None if found is None else parse_workflow(found.workflow)


@dataclass(frozen=True)
class RunResult:
    """How a measurement of workflows ended.

    Attributes:
        ending: `reported`; `interrupted` (the same request goes on); `planned` (a dry run: nothing was generated).
        report: The measured workflows, in the order they were named; None where it was not `reported`.
    """

    ending: Literal["reported", "interrupted", "planned"]
    report: Report | None = field(default=None, repr=False)
