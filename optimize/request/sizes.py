"""How much a search does where nobody says. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How much a search does.

    Attributes:
        trials: Different workflows measured in all.
        problems, report_problems: Problems of a trial, and of the report.
        front: Members of the front in the report at most.
        timeout: Seconds of the search; None: no limit.
    """

    trials: int
    problems: int
    report_problems: int
    front: int
    timeout: float | None


EMBEDDED = Sizes(trials=14, problems=32, report_problems=80, front=3, timeout=210.0)
"""For the reasoner that comes along: minutes on two cores."""

SERVED = Sizes(trials=40, problems=64, report_problems=200, front=5, timeout=None)
"""For a server of one's own."""
