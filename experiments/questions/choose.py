"""Who is compared with whom: chosen on the search split, never on what is reported. Pure.

A `Standing` is what is known of a strategy on the search split; in a dry run it is what the plan expects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from experiments.questions.parts import Claim, FrontierPart, Meter
from pdr_dspy.evaluation import Difference, Interval


@dataclass(frozen=True)
class Standing:
    """One strategy on the search split: its name, family, accuracy (0 to 1), and means of the meters."""

    name: str
    family: str
    accuracy: float
    meters: Mapping[str, float]


def best(standings: Iterable[Standing]) -> Standing:
    """The most accurate; of equals the one with the shorter path.

    Raises:
        ValueError: there is none.
    """
    return max(standings, key=lambda s: (s.accuracy, -s.meters["seq_generated"], s.name))


def matched(target: float, members: Sequence[Standing], meter: Meter) -> Standing:
    """The member whose meter is `target` or the next above it; where all are below, the largest.

    So a strategy is never compared with one that had fewer tokens, unless there is none with more.
    """
    above = [m for m in members if m.meters[meter] >= target]
    if above:
        return min(above, key=lambda m: (m.meters[meter], m.name))
    return max(members, key=lambda m: (m.meters[meter], m.name))


@dataclass(frozen=True)
class Pairing:
    """A claim with names in the place of families; `rival` None where it is about the accuracy alone."""

    claim: Claim
    name: str
    rival: str | None


def pairings(part: FrontierPart, standings: Sequence[Standing]) -> list[Pairing]:
    """Every claim of a part, resolved by what the search split says.

    At several levels a strategy named in a claim stands for its best level.
    """
    return [_pair(claim, standings) for claim in part.claims]


def _pair(claim: Claim, standings: Sequence[Standing]) -> Pairing:
    ours = best(members(claim.strategy, standings))
    if claim.against is None:
        return Pairing(claim, ours.name, None)
    theirs = members(claim.against, standings)
    rival = best(theirs) if claim.meter is None else matched(ours.meters[claim.meter], theirs, claim.meter)
    return Pairing(claim, ours.name, rival.name)


def members(name: str, standings: Sequence[Standing]) -> list[Standing]:
    """The strategies a name stands for: itself, a strategy at its levels (`pdr_8-16k`), or a family."""
    exact = [s for s in standings if s.name == name]
    family = [s for s in standings if s.family == name]
    return exact or family or [s for s in standings if s.name.startswith(f"{name}-")]


Verdict = Literal["yes", "yes, but not the whole interval", "no"]


def verdict(value: float, interval: Interval, least: float | None, most: float | None) -> Verdict:
    """Whether a value (and its whole interval) lies between two bounds; None is no bound, 0 is not above 0."""
    high = float("inf") if most is None else most

    def enough(number: float) -> bool:
        return least is None or (number > 0 if least == 0 else number >= least)

    if not (enough(value) and value <= high):
        return "no"
    return "yes" if enough(interval.low) and interval.high <= high else "yes, but not the whole interval"


def judged(claim: Claim, accuracy: float, interval: Interval, difference: Difference | None) -> Verdict:
    """A claim's verdict from an accuracy (0 to 1) or, where it has a rival, from the paired difference."""
    if difference is not None:
        value, interval = difference.mean, difference.interval
    else:
        value = accuracy
    percent = Interval(100 * interval.low, 100 * interval.high)
    return verdict(100 * value, percent, claim.least, claim.most)
