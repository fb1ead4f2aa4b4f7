"""What a column `split` says, and whether anything follows from it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

SPLIT = "split"
"""The column that may name a problem's side."""

_SIDES = ("search", "report")
_SHOWN = 5


def told_sides(values: Sequence[Any]) -> str | None:
    """What is to be told of a column `split`, a sentence; None where it is not there or says the same of every row.

    Args:
        values: Of each row; None where there is nothing.
    """
    counts = Counter(value for value in values if isinstance(value, str) and value.strip())
    others = {value: count for value, count in counts.most_common() if value not in _SIDES}
    sides = [f"{counts[side]} on the {side} side" for side in _SIDES if counts[side]]
    listed = ", ".join(f"{value} {count}" for value, count in list(others.items())[:_SHOWN])
    listed += f" and {len(others) - _SHOWN} more words" * (len(others) > _SHOWN)
    if sides:
        rest = len(values) - sum(counts[side] for side in _SIDES)
        left = (
            f"; {rest} {'row names' if rest == 1 else 'rows name'} none ({listed or 'empty'}): by a hash there"
            if rest
            else ""
        )
        return f"column {SPLIT} puts {' and '.join(sides)}{left}"
    if len(others) < 2:
        return None
    mend = f"for some of the rows alone write them to a file of their own; {' or '.join(_SIDES)} in it names a side"
    return f"column {SPLIT} is not used ({listed}): every row is read, sides are by a hash; {mend}"
