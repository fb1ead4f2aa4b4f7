"""How much the calls between the rounds (distill, pick, analyse) may think. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from pdr_dspy.workflow.values import MOST_TOKENS, rule


def _amount(value: Any) -> Any:
    if value is None or value == "off" or value is False:  # YAML reads a bare `off` as false
        return None if value is None else "off"
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value > MOST_TOKENS:
        raise rule((), "it is too large", f"Write at most {MOST_TOKENS}")
    shown = value if isinstance(value, str | int | float) else type(value).__name__
    raise rule((), f"{shown!r} is neither a number of tokens nor off", "Write tokens, such as 512, or off")


HelperThinking = Annotated[
    int | Literal["off"] | None,
    BeforeValidator(_amount),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": MOST_TOKENS},
                {"enum": ["off", False]},
                {"type": "null"},
            ]
        }
    ),
]
"""Tokens a helper call may think before it answers; `off`: it is told not to, and gets no tokens for it. Absent: as
`off`, but with a model that thinks whatever it is told it gets what the budget leaves."""
