"""Ledgers that are open where a call is made get its records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

from pdr_dspy.ledger.meters import Meters, meters
from pdr_dspy.ledger.records import CallRecord


class Ledger:
    """An append-only list of call records, safe across threads and tasks."""

    def __init__(self, records: Iterable[CallRecord] = ()) -> None:
        self._records = list(records)
        self._lock = Lock()

    def add(self, record: CallRecord) -> None:
        """Append one record."""
        with self._lock:
            self._records.append(record)

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """All records so far, in the order they ended."""
        with self._lock:
            return tuple(self._records)

    def meters(self) -> Meters:
        """The sums, if this ledger holds one problem's records."""
        return meters(self.records)


_LEDGERS: ContextVar[tuple[Ledger, ...]] = ContextVar("pdr_dspy_ledgers", default=())


def record(entry: CallRecord) -> None:
    """Add an entry to every ledger open here (they nest: a run's, and whoever's around it)."""
    for ledger in _LEDGERS.get():
        ledger.add(entry)


@contextmanager
def open_ledger() -> Iterator[Ledger]:
    """Calls made inside are recorded in the ledger this yields, and in those opened around it."""
    ledger = Ledger()
    token = _LEDGERS.set((*_LEDGERS.get(), ledger))
    try:
        yield ledger
    finally:
        _LEDGERS.reset(token)
