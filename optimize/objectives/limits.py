"""What a user will not accept: a workflow slower, or less accurate, than this is on no front. Pure.

The limits hold for what the search measured (p50 seconds or mean tokens along the critical path, accuracy), as the
choice is made there; the report shows what became of it on problems the search never saw.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point
from pdr_dspy.budget import parse_budget
from pdr_dspy.errors import BudgetError, InputError

_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smh]?)")


@dataclass(frozen=True)
class Limits:
    """Attributes:
    max_latency: In seconds or tokens, as the search weighs it (then latency is the first cost); None: any.
    min_accuracy: As a fraction; None: any.
    """

    max_latency: float | None = None
    min_accuracy: float | None = None

    def violations(self, point: Point) -> dict[str, float]:
        """How far a point is beyond each limit that is set; not above 0 where it keeps to it."""
        found = {}
        if self.max_latency is not None:
            found["max_latency"] = point.cost - self.max_latency
        if self.min_accuracy is not None:
            found["min_accuracy"] = self.min_accuracy - point.accuracy
        return found

    def excess(self, point: Point) -> float:
        """How far a point is beyond the limits, each as a share of itself, in sum."""
        limits = {"max_latency": self.max_latency, "min_accuracy": self.min_accuracy}
        return sum(max(0.0, by) / (limits[name] or 1.0) for name, by in self.violations(point).items())

    def __str__(self) -> str:
        """As on the command line; "" without limits."""
        parts = [("--max-latency", self.max_latency), ("--min-accuracy", self.min_accuracy)]
        return " ".join(f"{name} {value:g}" for name, value in parts if value is not None)


def parse_limits(max_latency: str | None, min_accuracy: str | None, objectives: Objectives) -> Limits:
    """The limits of a command line.

    Args:
        max_latency: Like `20s` or `2m`; where tokens are weighed like `4k`.
        min_accuracy: Like `0.6` or `60%`.
        objectives: What is weighed.

    Raises:
        InputError: a text that is none of these, or a limit on what is not weighed; it names the option.
    """
    return Limits(
        None if max_latency is None else _latency(max_latency, objectives),
        None if min_accuracy is None else _accuracy(min_accuracy),
    )


def _latency(text: str, objectives: Objectives) -> float:
    if "latency" not in objectives.costs:
        raise InputError(
            "--max-latency", "latency is not among the objectives", "Add latency to --objectives, or leave it out"
        )
    if objectives.latency == "seconds":
        return duration(text, "--max-latency")
    try:
        return float(parse_budget(f"tokens={text}").tokens or 0)
    except BudgetError as error:
        raise InputError("--max-latency", f"{text!r} is not a number of tokens", "Write it like 900 or 4k") from error


def _accuracy(text: str) -> float:
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InputError("--min-accuracy", f"{text!r} is not from 0 to 1", "Write it like 0.6 or 60%")
    return value


def duration(text: str, option: str = "--timeout") -> float:
    """Seconds of a text such as `90`, `90s`, `10m` or `1.5h`.

    Raises:
        InputError: it is none, or not above 0.
    """
    match = _TIME.fullmatch(text.strip().lower())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if seconds <= 0:
        raise InputError(option, f"{text!r} is not a time", "Write it like 90, 90s, 10m or 2h")
    return seconds
