"""How much proposers do: calls, tokens, and the length a model must have to be one. Pure."""

from __future__ import annotations

from pdr_dspy.errors import EndpointError
from pdr_dspy.workflow import Caps

LEAST_CONTEXT = 4096
"""Tokens a proposer's context must have: its own thinking, and some examples to learn from."""

USUAL_CONTEXT = 16_384
"""What a proposer's context is taken to be where nobody says."""

SUMMARY, GROUNDED, REFLECTIVE = 2, 3, 2
"""Calls of the proposers: a summary of the data, a grounded proposal (describe the program, the stage, write), a
reflective one (with one to shorten it)."""


def caps(context: int | None) -> Caps:
    """What a proposer's call may generate, for a model of this length in tokens."""
    length = context or USUAL_CONTEXT
    return Caps(min(4096, length // 4), min(1536, length // 8))


def check_length(context: int | None, model: str) -> None:
    """Whether a model is long enough to propose.

    Raises:
        EndpointError: it is not.
    """
    if context is not None and context < LEAST_CONTEXT:
        raise EndpointError(
            "--propose",
            f"a proposer needs a context of {LEAST_CONTEXT:,} tokens, {model} has {context:,}",
            "Name another one with --proposer URL#MODEL, or leave --propose out",
        )
