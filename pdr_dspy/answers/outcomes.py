"""What a comparison comes to: yes, no, or what math-verify has to be asked for it. Values, and how one is settled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

_ASKED = 16
"""Parts of an enumeration at most that math-verify is asked to tell apart."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Text can't decide: math-verify has to say whether the answer equals the reference."""

    reference: str
    answer: str


@dataclass(frozen=True, slots=True)
class Every:
    """All of these."""

    parts: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Matching:
    """Each of the reference's parts (rows) with another of the answer's (columns)."""

    table: tuple[tuple[Outcome, ...], ...]


Outcome = bool | Ask | Every | Matching
Asking = Callable[[Ask], Awaitable[bool]]


def every(parts: Sequence[Outcome]) -> Outcome:
    """Whether all are so."""
    if any(part is False for part in parts):
        return False
    left = tuple(part for part in parts if part is not True)
    return Every(left) if left else True


def matching(table: Sequence[Sequence[Outcome]]) -> Outcome:
    """Whether each row has a column of its own. Rows and columns that text alone pairs are taken out first."""
    if any(len(row) != len(table) for row in table):
        return False
    rows, columns = list(range(len(table))), list(range(len(table)))
    for i in list(rows):
        found = next((j for j in columns if table[i][j] is True), None)
        if found is not None:
            rows.remove(i)
            columns.remove(found)
    left = tuple(tuple(table[i][j] for j in columns) for i in rows)
    if not left:
        return True
    if len(left) > _ASKED or any(all(cell is False for cell in row) for row in left):
        return False
    return Matching(left)


async def settle(outcome: Outcome, ask: Asking) -> bool:
    """The outcome, as soon as what is asked is answered; no more is asked than it takes."""
    if isinstance(outcome, bool):
        return outcome
    if isinstance(outcome, Ask):
        return await ask(outcome)
    if isinstance(outcome, Every):
        for part in outcome.parts:
            if not await settle(part, ask):
                return False
        return True
    free = list(range(len(outcome.table)))
    for row in outcome.table:
        for column in free:
            if await settle(row[column], ask):
                free.remove(column)
                break
        else:
            return False
    return True
