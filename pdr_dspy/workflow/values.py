"""What the grammar's models share: frozen and strict, and rules of our own as validation errors. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import PydanticCustomError

from pdr_dspy.errors import WorkflowError

RULE = "workflow_rule"
"""Type of the validation errors raised by hand; their context has `at` (path below the model), problem, mend."""


MOST_TOKENS = 10**9
"""Tokens of one call, or of a workspace, at most: far more than any model reads."""


TOKENS: dict[str, JsonValue] = {"unit": "tokens"}
DRAFTS: dict[str, JsonValue] = {"unit": "drafts"}
"""What a field counts, for the schema."""


class Frozen(BaseModel):
    """A value: it can't be changed, an unknown key is an error, and no type is converted.

    Raises:
        WorkflowError: made in Python, what is wrong with it; `field` is the path to it. (`model_validate` raises
            pydantic's ValidationError, of which the readers of plain data and YAML make theirs.)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def __init__(self, /, *unnamed: Any, **given: Any) -> None:
        if unnamed:
            fields = ", ".join(f"{name}=..." for name in type(self).model_fields)
            raise WorkflowError(type(self).__name__, "what it is made of has no names", f"Write {fields}")
        try:
            super().__init__(**given)
        except ValidationError as error:
            from pdr_dspy.workflow.complaints import refused  # which knows the models that are made of this

            raise refused(error, type(self)) from None

    # Pydantic calls an __init__ that is not its own for each model within a model, which would lose the path to it.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


def rule(at: tuple[str | int, ...], problem: str, mend: str) -> PydanticCustomError:
    """The error of a broken rule, to be raised in a validator."""
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in at).lstrip(".")
    context = {"at": at, "where": where, "problem": problem, "mend": mend}
    return PydanticCustomError(RULE, "{where}: {problem}. {mend}", context)
