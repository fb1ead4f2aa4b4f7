"""What graders said against what is right, counted and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.grading.pairs import Pair
from experiments.questions.markdown import percent, table
from pdr_dspy.evaluation.statistics import wilson


@dataclass(frozen=True)
class Counts:
    """A grader's mistakes on pairs that somebody can decide.

    Attributes:
        right, wrong: Pairs whose answer is right, and wrong.
        lost: Right answers that were not called right, the undecided ones among them.
        paid: Wrong answers that were called right.
        undecided: Pairs without a word: a time limit, a crash, a reference the grader can't read.
    """

    right: int
    wrong: int
    lost: int
    paid: int
    undecided: int


def count(pairs: Sequence[Pair], words: Sequence[bool | None]) -> Counts:
    """Count a grader's mistakes; pairs that nobody can decide are left out."""
    seen = [(pair.right, word) for pair, word in zip(pairs, words, strict=True) if pair.right is not None]
    return Counts(
        right=sum(right for right, _ in seen),
        wrong=sum(not right for right, _ in seen),
        lost=sum(right and word is not True for right, word in seen),
        paid=sum(not right and word is True for right, word in seen),
        undecided=sum(word is None for _, word in seen),
    )


def overall(pairs: Sequence[Pair], words: Mapping[str, Sequence[bool | None]]) -> str:
    """One row a grader: its mistakes in both directions, with Wilson's 95 % intervals."""
    rows = []
    for name, said in words.items():
        counts = count(pairs, said)
        rows.append([name, *_cells(counts)])
    return table(["grader", *COLUMNS], rows)


COLUMNS = ("right called wrong", "%", "wrong called right", "%", "undecided")


def _cells(counts: Counts) -> list[str]:
    return [
        f"{counts.lost} of {counts.right}",
        percent(counts.lost / max(1, counts.right), wilson(counts.lost, counts.right)) if counts.right else "-",
        f"{counts.paid} of {counts.wrong}",
        percent(counts.paid / max(1, counts.wrong), wilson(counts.paid, counts.wrong)) if counts.wrong else "-",
        str(counts.undecided),
    ]


def by(field: str, pairs: Sequence[Pair], said: Sequence[bool | None]) -> str:
    """One grader's mistakes, a row for each value of `field` (`shape`, `kind`)."""
    rows = []
    for value in dict.fromkeys(getattr(pair, field) for pair in pairs):
        chosen = [at for at, pair in enumerate(pairs) if getattr(pair, field) == value]
        rows.append([value, *_cells(count([pairs[at] for at in chosen], [said[at] for at in chosen]))])
    return table([field, *COLUMNS], rows)


def side_by_side(pairs: Sequence[Pair], words: Mapping[str, Sequence[bool | None]]) -> str:
    """A row a shape, a column a grader: right called wrong + wrong called right."""
    rows = []
    for shape in dict.fromkeys(pair.shape for pair in pairs):
        chosen = [at for at, pair in enumerate(pairs) if pair.shape == shape]
        some = [pairs[at] for at in chosen]
        counts = [count(some, [said[at] for at in chosen]) for said in words.values()]
        head = count(some, [None] * len(some))
        rows.append([shape, f"{head.right} + {head.wrong}", *(f"{one.lost} + {one.paid}" for one in counts)])
    return table(["shape", "right + wrong", *words], rows)


def mistakes(pairs: Sequence[Pair], said: Sequence[bool | None]) -> list[str]:
    """A grader's mistakes, a line each, those that pay first."""
    lines = []
    for pair, word in zip(pairs, said, strict=True):
        if pair.right is None or word is pair.right:
            continue
        what = "wrong called right" if word else "right called wrong" if pair.right else "wrong, undecided"
        what += ", undecided" if pair.right and word is None else ""
        reason = f" ({pair.why})" if pair.why else ""
        lines.append(f"{what}: {pair.kind}, {pair.shape}: {pair.reference!r} <- {pair.answer!r}{reason}")
    return sorted(lines, key=lambda line: not line.startswith("wrong called right"))
