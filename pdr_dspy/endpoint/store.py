"""Completions that were paid for once, by the key of everything that determined them.

A stored completion keeps the body of the answer and what the original call cost, so that a replay is accounted as the
call it stands for. Knows nothing of keys' meaning (see `requests`), of files (see `file_store`), of HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator

_LONGEST = 366 * 86_400.0  # seconds: no request takes a year
_LATEST = 253_402_300_799.0  # Unix time: no calendar goes beyond the year 9999
_MOST = 2**53  # tokens: more than are generated anywhere
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


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
            ValueError: a field is missing, or of another type or value than it can have.
        """
        fields = _Fields.model_validate(data)
        return cls(**{name: getattr(fields, name) for name in cls.__slots__})


class _Fields(BaseModel):
    """A completion's fields as they are read back."""

    model_config = ConfigDict(strict=True, frozen=True)

    body: dict[str, Any]
    seconds: float = Field(ge=0, le=_LONGEST, allow_inf_nan=False)
    first_token_seconds: float | None = Field(ge=0, le=_LONGEST, allow_inf_nan=False)
    started: float = Field(ge=0, le=_LATEST, allow_inf_nan=False)
    max_tokens: int = Field(ge=0, le=_MOST)
    replica: str

    @field_validator("body")
    @classmethod
    def _counts_that_can_be(cls, body: dict[str, Any]) -> dict[str, Any]:
        # What a server says that can't be is counted before it is kept (`counted`), so that it stands elsewhere.
        said = body.get("usage")
        usage = said if isinstance(said, dict) else {}
        for name in _COUNTS:
            if isinstance(count := usage.get(name), int | float) and count > _MOST:
                raise ValueError(f"usage.{name} is {str(count)[:20]}, more tokens than any model has room for")
        return body


class Store(Protocol):
    """Where completions are kept. An implementation is safe across threads."""

    def get(self, key: str) -> StoredCompletion | None:
        """The completion of this key, or None."""

    def put(self, key: str, completion: StoredCompletion) -> None:
        """Keep a completion; the first of a key stays.

        Raises:
            DiskError: it can't be kept.
        """

    def reject(self, key: str, why: str) -> None:
        """Put the completion of this key aside, because it can't be used; from now on there is another one or none.

        Args:
            key: The key.
            why: What is wrong with it, kept beside it.
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

    def reject(self, key: str, why: str) -> None:
        """Drop the completion of this key."""
        self._completions.pop(key, None)

    def __len__(self) -> int:
        return len(self._completions)
