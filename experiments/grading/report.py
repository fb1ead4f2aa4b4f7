"""The comparison as the tables of docs/grading.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.grading.pairs import Pair
from experiments.grading.tables import by, overall, side_by_side

OURS = "ours"
NOTE = """\
Intervals are Wilson's, 95 %, in %. *Undecided*: no word, because of a time limit, an error, or a reference the grader \
can't read; a right answer without a word counts as called wrong. Pairs that nobody can decide are not counted."""


@dataclass(frozen=True)
class Compared:
    """What graders said.

    Attributes:
        pairs: All pairs.
        said: By grader: ours has a word for every pair, the others for every pair of the kind `math`.
        missing: Graders that are not installed, with the reason.
    """

    pairs: tuple[Pair, ...]
    said: Mapping[str, Sequence[bool | None]]
    missing: Mapping[str, str]


def markdown(compared: Compared) -> str:
    """The tables: all graders on `math`, ours by kind, all by shape, and what is not installed."""
    at = [at for at, pair in enumerate(compared.pairs) if pair.kind == "math"]
    common = [compared.pairs[i] for i in at]
    ours = compared.said[OURS]
    said = {name: [words[i] for i in at] if name == OURS else words for name, words in compared.said.items()}
    nobody = sum(pair.right is None for pair in compared.pairs)
    parts = [f"{len(compared.pairs)} pairs, {nobody} of which nobody can decide. {NOTE}"]
    if common:
        parts += [f"**The grader `math` and others**, {len(common)} pairs", overall(common, said)]
    parts += ["**Our graders by kind**", by("kind", compared.pairs, ours)]
    if len(said) > 1:
        parts += [
            "**By shape**: right answers called wrong + wrong ones called right, of so many",
            side_by_side(common, said),
        ]
    parts += ["**Our graders by shape**", by("shape", compared.pairs, ours)]
    if compared.missing:
        named = "; ".join(f"{name}: {reason}" for name, reason in compared.missing.items())
        parts.append(f"Not installed where this was made: {named}.")
    return "\n\n".join(parts)
