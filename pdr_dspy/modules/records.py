"""What a run of a workflow leaves behind: its drafts, workspaces, failures and ledger. Values only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pdr_dspy.budget import Budget
from pdr_dspy.ledger import CallRecord, Meters, meters
from pdr_dspy.workflow import Plan


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft that came: its number in the round, its written solution, and the user's output fields."""

    index: int
    solution: str
    outputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call that gave nothing usable: its stage, its number in the step, the kind it counts under, and why."""

    stage: str
    index: int
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """One round: the workspace each draft read ("" in the first), the drafts that came, and those that did not."""

    workspaces: tuple[str, ...]
    drafts: tuple[Draft, ...]
    failed: tuple[FailedCall, ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a workflow on one problem.

    Attributes:
        plan: The workflow, its budget and every call's caps.
        rounds: The rounds that were begun, in order.
        failed: Every call that gave nothing usable, helper calls (distill, pick, analyse) included.
        records: The run's call records.
    """

    plan: Plan
    rounds: tuple[RoundRecord, ...]
    failed: tuple[FailedCall, ...]
    records: tuple[CallRecord, ...]

    @property
    def budget(self) -> Budget:
        """The budget the run was planned for."""
        return self.plan.budget

    @property
    def meters(self) -> Meters:
        """Both meters, the nominal ones, and seconds along the critical path."""
        return meters(self.records)

    @property
    def dropped(self) -> Counter[str]:
        """Failed calls by kind."""
        return Counter(f.kind for f in self.failed)
