"""Which problem is asked in which mode at which step: fixed beforehand, so that a resumed run goes on. Pure.

A row is what TRL knows of a problem, a line of JSON that the rollout function reads.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.training.rollouts.shapes import MODES, Mode


@dataclass(frozen=True, slots=True)
class Asked:
    """One group to draw.

    Attributes:
        mode: Its mode.
        problem: The problem's id.
        number: Which of all groups of the stage: no two have the same.
    """

    mode: Mode
    problem: str
    number: int

    def text(self) -> str:
        """As a line of JSON."""
        return json.dumps({"mode": self.mode, "problem": self.problem, "number": self.number})

    @classmethod
    def of(cls, text: str) -> Asked:
        """From `text()`."""
        said: dict[str, Any] = json.loads(text)
        return cls(said["mode"], said["problem"], said["number"])


def counts(problems: int, shares: Mapping[Mode, float]) -> dict[Mode, int]:
    """Problems of each mode in a step: by its share, at least one, together `problems` (the largest remainders win)."""
    total = sum(shares.values())
    exact = {mode: problems * shares[mode] / total for mode in MODES if mode in shares}
    found = {mode: max(1, int(value)) for mode, value in exact.items()}
    while sum(found.values()) < problems:
        mode = max(exact, key=lambda m: exact[m] - found[m])
        found[mode] += 1
    while sum(found.values()) > problems:
        mode = max((m for m in found if found[m] > 1), key=lambda m: found[m] - exact[m])
        found[mode] -= 1
    return found


def schedule(ids: Sequence[str], steps: int, problems: int, shares: Mapping[Mode, float], seed: int) -> list[Asked]:
    """All groups of a stage, a step's next to each other, its modes in turns (so that every process has of each).

    A problem comes back only after every other one was asked.

    Args:
        ids: The problems' ids.
        steps: Rollout steps.
        problems: Groups a step.
        shares: Of the modes.
        seed: Of the order.
    """
    wanted = counts(problems, shares)
    # As far along as its mode is: the first of each, then the next of each.
    places = ((place + 0.5) / count for count in wanted.values() for place in range(count))
    modes = (mode for mode, count in wanted.items() for _ in range(count))
    each = [mode for _, mode in sorted(zip(places, modes, strict=True))]
    found: list[Asked] = []
    left: list[str] = []
    turn = 0
    for mode in each * steps:
        if not left:
            left = list(ids)
            random.Random(f"{seed}/{turn}").shuffle(left)
            turn += 1
        found.append(Asked(mode, left.pop(), len(found)))
    return found
