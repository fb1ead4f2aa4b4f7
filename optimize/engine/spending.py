"""What of a study's `--spend` must be left for its report. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from optimize.engine.entries import Entry
from optimize.reporting.numbers import amount
from pdr_dspy.endpoint import FileAllowance

MARGIN = 1.25
"""The report's problems are others than the search's: it may take so much more than the search's means say."""


def reporting(entries: Sequence[Entry], runs: int, joining: int) -> float:
    """Tokens to keep back for measuring these workflows `runs` times each.

    A workflow that was not searched yet, and each of `joining` trials that may still come to the front, is taken to
    generate as much as the dearest that was. On top comes the longest call's cap: the last request of a report must
    find it free, however little it generates of it.
    """
    known = [e.searched.metrics["mean_total_generated"] for e in entries if e.searched]
    guessed = max(known, default=0.0) * (len(entries) - len(known) + joining)
    longest = max((step.caps.total for e in entries for step in e.candidate.plan.steps), default=0)
    return MARGIN * runs * (sum(known) + guessed) + longest


def spent_text(allowance: FileAllowance) -> str:
    """`spent 1.32m of 50.00m`."""
    of = "" if allowance.limit is None else f" of {amount(allowance.limit)}"
    return f"spent {amount(allowance.spent)}{of}"
