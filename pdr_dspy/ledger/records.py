"""A record of one attempt at one call: what the server said of it, and what it may have cost. Values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PROBE = "probe"
"""The stage of the request that finds out how a server deals with thinking. It is in the totals, because the server
counts it, and no call: it is on no path and in no step."""

REFUSED = "refused"
"""The outcome of a request whose cap on thinking the server does not take: no failure, for it is asked another way."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One attempt at one call.

    Attributes:
        call: Id shared by all attempts at the same call.
        attempt: Number of the attempt (from 0).
        run, stage, step, round, index, sample, problem: As in `CallTag`.
        model: Model as the server names it.
        replica: Address of the endpoint that answered (no credentials).
        outcome: `ok`, the `kind` of a `CallError` (`truncated`, `empty`, `server`, `cutoff`, ...), or `REFUSED`.
        finish: The server's finish reason, or "" where there was no answer.
        prompt_tokens, completion_tokens: As the server reported, or `estimated`; 0 where nothing was answered.
        cached_tokens: Prompt tokens served from the prefix cache; None where the server does not say.
        thinking_tokens: Thinking tokens, where the server says.
        reported: Whether the server reported a usage for this attempt that can be true.
        max_tokens: The cap that was sent.
        requested_tokens: The cap that was asked for, before it was clamped to the model's context.
        thinking_budget: The thinking cap, or None.
        seconds: From sending to the last byte of this attempt.
        first_token_seconds: From sending to the first token, where streamed.
        started: Unix time of sending.
        replayed: Answered from the store; its tokens and seconds are the original call's.
        detail: What went wrong, in words (never a secret).
        part: Which part of the call's answer: 0, or 1 for the request that continued a thinking stopped at its cap.
            Both parts together are one call and one answer.
        uncounted: Tokens it may have generated beyond `completion_tokens`: what was left of its cap where it was cut
            off, or where its answer was lost on the way; 0 where the server has said, or has refused it.
        estimated: Whether the tokenizer counted the tokens, because the server did not say them or said what can't be.
    """

    call: str
    attempt: int
    run: str
    stage: str
    step: int
    round: int
    index: int
    sample: int
    problem: str
    model: str
    replica: str
    outcome: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None
    thinking_tokens: int | None
    reported: bool
    max_tokens: int
    requested_tokens: int
    thinking_budget: int | None
    seconds: float
    first_token_seconds: float | None
    started: float
    replayed: bool
    detail: str = ""
    part: int = 0
    uncounted: int = 0
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def as_dict(self) -> dict[str, Any]:
        """The record as plain data."""
        return asdict(self)
