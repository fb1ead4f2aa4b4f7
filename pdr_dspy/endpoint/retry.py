"""What a failed attempt means and when to try again. Pure; knows nothing of LiteLLM or sockets."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from pdr_dspy.errors import CallError, ContextOverflow, EndpointError, ServerFailure, TimedOut

Kind = Literal["server", "timeout", "context", "endpoint", "request"]

_LONGEST = 30.0  # seconds between attempts at most, unless the server asks for more
_CEILING = 120.0  # and whatever it asks for


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that brought no completion.

    Attributes:
        kind: `server` (5xx, 429, connection, malformed body), `timeout`, `context` (longer than the model's context),
            `endpoint` (the endpoint as a whole can't be used), `request` (a 400 for this request alone).
        detail: What was said, without secrets.
        field: For `endpoint`: the field of the `EndpointError`.
        mend: For `endpoint`: what to do.
        status: HTTP status, or None where there was no answer.
        retry_after: Seconds the server asked to wait, or None.
        connection: The connection failed: the replica, not the request, is at fault.
        refuses_thinking: The server named the thinking cap as what is wrong with the request.
        refuses_schema: It named the schema of the answer.
        costless: Nothing was generated for it, as is known (`delivery`); False where nobody knows.
        generated: Tokens that were generated for it, as the server says, or None where it does not.
        counted: Tokens of it that the ledger counts, as the server says or as they were counted here.
    """

    kind: Kind
    detail: str
    field: str = ""
    mend: str = ""
    status: int | None = None
    retry_after: float | None = None
    connection: bool = False
    refuses_thinking: bool = False
    refuses_schema: bool = False
    costless: bool = False
    generated: int | None = None
    counted: int = 0

    @property
    def passing(self) -> bool:
        """Whether trying again may help."""
        return self.kind in ("server", "timeout")

    @property
    def outcome(self) -> str:
        """What the ledger counts it under."""
        return "server" if self.kind == "request" else self.kind

    def error(self) -> CallError | EndpointError:
        """The error this failure is, once it is final."""
        if self.kind == "endpoint":
            return EndpointError(self.field, self.detail, self.mend)
        cls = {"timeout": TimedOut, "context": ContextOverflow}.get(self.kind, ServerFailure)
        return cls(self.detail)


def delay(attempt: int, failure: Failure, *, base: float, chance: random.Random) -> float:
    """Seconds to wait after the attempt of this number (from 0) failed.

    Exponential with jitter, so that a burst that failed together does not come back together; at least what the server
    asked for, up to two minutes.
    """
    ceiling: float = min(base * 2**attempt, _LONGEST)
    jittered = ceiling * (0.5 + chance.random() / 2)
    return max(jittered, min(failure.retry_after or 0.0, _CEILING))
