"""What the grammar's models share: frozen and strict, and rules of our own as validation errors. Pure."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_core import PydanticCustomError

RULE = "workflow_rule"
"""Type of the validation errors raised by hand; their context has `at` (path below the model), problem, mend."""


MOST_TOKENS = 10**9
"""Tokens of one call, or of a workspace, at most: far more than any model reads."""


TOKENS: dict[str, JsonValue] = {"unit": "tokens"}
DRAFTS: dict[str, JsonValue] = {"unit": "drafts"}
"""What a field counts, for the schema."""


class Frozen(BaseModel):
    """A value: it can't be changed, an unknown key is an error, and no type is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def rule(at: tuple[str | int, ...], problem: str, mend: str) -> PydanticCustomError:
    """The error of a broken rule, to be raised in a validator."""
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in at).lstrip(".")
    context = {"at": at, "where": where, "problem": problem, "mend": mend}
    return PydanticCustomError(RULE, "{where}: {problem}. {mend}", context)
