"""What a request generated, and what it may have: the two numbers between which the server's own count is.

An answer's usage is believed as far as it can be true. One that can't (more tokens than the model's context has room
for, or far too few for the text that came with them) says nothing, and then the request counts with all it was allowed.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pdr_dspy.endpoint.completion import broken_off, finish_of, said_of, usage_of, written_text
from pdr_dspy.endpoint.retry import Failure
from pdr_dspy.endpoint.store import StoredCompletion

_LONGEST, _WORD = 16, 64
"""Bytes a token of a text has at most on average (English has 4, indented code 6), and a single one."""
_CAPS = ("max_tokens", "max_completion_tokens")
_COPIES = ("n", "best_of")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Tokens that a request may generate, its choices together; None where nobody can say.

    Attributes:
        most: As many as it asks for; where it states no cap, as the model's context has room for.
        room: As many as the model's context has room for, whatever was asked.
    """

    most: int | None
    room: int | None


def bounds_of(body: Mapping[str, Any], context: int | None) -> Bounds:
    """What a request may generate.

    Args:
        body: The request.
        context: The model's length in tokens, or None where nobody says.
    """
    # Servers differ in which of two caps they take, and in how they read one that is no number of tokens.
    caps = [cap for name in _CAPS if (cap := body.get(name)) is not None]
    capped = bool(caps) and all(isinstance(cap, int) and not isinstance(cap, bool) and cap > 0 for cap in caps)
    copies = max([1, *(number for name in _COPIES if isinstance(number := body.get(name), int))])
    room = None if context is None else context * copies
    return Bounds(max(caps) * copies if capped else room, room)


def bounds_sent(completion: StoredCompletion) -> Bounds:
    """What the request of an answer was allowed to generate, as far as the answer tells."""
    return Bounds(completion.max_tokens * max(1, len(completion.body.get("choices") or [])) or None, None)


def dropped(body: Mapping[str, Any], bounds: Bounds) -> Failure | None:
    """The failure that an answer is which the server broke off, with what was generated for it; None: it is none."""
    failure = broken_off(body)
    # Of what it dropped a server may say that it was nothing.
    return None if failure is None else replace(failure, generated=reported(body, bounds) or None)


def generated(result: StoredCompletion | Failure, bounds: Bounds) -> int | None:
    """Tokens that an attempt generated; None where nobody knows, so that it may be as many as it was allowed."""
    if isinstance(result, Failure):
        return 0 if result.costless else result.generated
    return reported(result.body, bounds)


def reported(body: Mapping[str, Any], bounds: Bounds) -> int | None:
    """Tokens that an answer generated, as its usage says; None where that is missing or can't be true."""
    usage, text = said_of(body), written_text(body)
    counted = usage_of(body).completion  # here, where what was said is missing or can't be true
    beyond = counted if bounds.most is not None and counted > bounds.most else None
    if not usage.reported:
        return beyond
    said, thought = usage.completion, usage.thinking or 0
    least = max(_listed(body), fewest(text), 1 if finish_of(body) == "length" else 0)
    believed = said >= max(thought, least)
    said = max(said + thought if thought > said else said, least)  # a thinking that was counted beside it
    if bounds.most is None or said <= bounds.most:
        return said if believed else None
    # Beyond what was asked: by a server that ignores the cap, or false. No model goes beyond its context, and where
    # nobody knows that, a token has at least a byte.
    return said if said <= (bounds.room or _size(text)) else beyond


def fewest(text: str) -> int:
    """Tokens that a text has at least, as texts go."""
    size = _size(text)
    return max(min(size, 1), -((_WORD - size) // _LONGEST))


def uncounted(result: StoredCompletion | Failure, bounds: Bounds) -> int:
    """Tokens that an attempt may have generated beyond those that the ledger counts for it."""
    known = generated(result, bounds)
    counted = result.counted if isinstance(result, Failure) else usage_of(result.body).completion
    return max(0, ((bounds.most or 0) if known is None else known) - counted)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _listed(body: Mapping[str, Any]) -> int:
    """Tokens that are listed in an answer, with their log-probabilities."""
    listed = [(choice.get("logprobs") or {}).get("content") or [] for choice in body.get("choices") or []]
    return sum(map(len, listed))
