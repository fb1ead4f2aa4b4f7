"""Completions that were paid for once, by the key of everything that determined them.

A stored completion keeps the body of the answer and what the original call cost, so that a replay is accounted as the
call it stands for. Knows nothing of keys' meaning (see `requests`), of files (see `file_store`), of HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class StoredCompletion:
    """An answer of the server and its cost.

    Attributes:
        body: The chat completion as the server said it: plain JSON, usage included.
        seconds: From sending to the last byte.
        first_token_seconds: From sending to the first token, where streamed.
        started: Unix time of sending.
        max_tokens: The cap that was sent (0 where none was).
        replica: Address that answered.
    """

    body: Mapping[str, Any]
    seconds: float
    first_token_seconds: float | None
    started: float
    max_tokens: int
    replica: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for `from_dict`."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StoredCompletion:
        """The completion that `as_dict` wrote.

        Raises:
            KeyError: the data lacks a field.
        """
        return cls(**{name: data[name] for name in cls.__slots__})


class Store(Protocol):
    """Where completions are kept. An implementation is safe across threads."""

    def get(self, key: str) -> StoredCompletion | None:
        """The completion of this key, or None."""

    def put(self, key: str, completion: StoredCompletion) -> None:
        """Keep a completion; the first of a key stays.

        Raises:
            DiskError: it can't be kept.
        """


class MemoryStore:
    """Completions kept as long as the process lives."""

    def __init__(self) -> None:
        self._completions: dict[str, StoredCompletion] = {}

    def get(self, key: str) -> StoredCompletion | None:
        """The completion of this key, or None."""
        return self._completions.get(key)

    def put(self, key: str, completion: StoredCompletion) -> None:
        """Keep a completion; the first of a key stays."""
        self._completions.setdefault(key, completion)

    def __len__(self) -> int:
        return len(self._completions)
