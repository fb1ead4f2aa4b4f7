"""What a file, a Hub data set and a generator all come to: rows with the place where each stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        place: Where it stands, for messages: `line 3`, `row 3`.
        cells: Its cells by column.
    """

    place: str
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """A table that is read once, from its beginning, as far as it is needed.

    Attributes:
        source: The table's name, for messages.
        rows: Its rows. Reading them may raise a `DataError`.
        notes: What was understood of the file, in sentences.
        decimal_commas: Whether its numbers may be written as 3,5, as where semicolons are between cells.
    """

    source: str
    rows: Iterator[Row]
    notes: tuple[str, ...] = ()
    decimal_commas: bool = False
