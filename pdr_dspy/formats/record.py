"""How the answers of a call were read: noted by a format where it parses, collected by whoever makes the call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MARKS = "marks"
"""Read as the format asks for it."""

_READ: ContextVar[list[str] | None] = ContextVar("pdr_dspy_read", default=None)


def note(how: str) -> None:
    """Note how an answer was read."""
    notes = _READ.get()
    if notes is not None:
        notes.append(how)


@contextmanager
def collecting() -> Iterator[list[str]]:
    """How the answers were read that are parsed inside, in order."""
    notes: list[str] = []
    token = _READ.set(notes)
    try:
        yield notes
    finally:
        _READ.reset(token)
