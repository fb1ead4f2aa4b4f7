"""A signature's fields as the formats see them: which one is free text, which one is the answer, and their labels.

The first output field of a stage is its body (a written solution, a workspace, an analysis) where it is text; what
follows it are short values that stand at the end. Pure.
"""

from __future__ import annotations

from typing import Any

import dspy
from dspy.adapters.types.base_type import Type as DspyType

ROLE = "pdr_role"
"""Key of a field's `json_schema_extra` that names what one of our own fields is for (`limit`, `count`, ...)."""


def body_of(signature: type[dspy.Signature]) -> str | None:
    """The output field that holds free text, or None where every output is a value."""
    outputs = list(signature.output_fields.items())
    if not outputs or outputs[0][1].annotation is not str:
        return None
    name, field = outputs[0]
    return name if len(outputs) > 1 or role_of(field) else None


def values_of(signature: type[dspy.Signature]) -> dict[str, Any]:
    """The output fields that are values, by name, with their types."""
    body = body_of(signature)
    return {name: field.annotation for name, field in signature.output_fields.items() if name != body}


def main_value(names: list[str]) -> str | None:
    """Of several values the one that an unmarked answer is taken for: `answer`, or the only one."""
    return "answer" if "answer" in names else names[0] if len(names) == 1 else None


def may_be_prose(name: str, kind: Any) -> bool:
    """Whether a field may hold prose or code (a text that is no `answer`, DSPy's `Code`) rather than a short value."""
    return (kind is str and name != "answer") or (isinstance(kind, type) and issubclass(kind, DspyType))


def role_of(field: Any) -> str:
    """What one of our own fields is for, or "" for a user's."""
    return str((getattr(field, "json_schema_extra", None) or {}).get(ROLE, ""))


def label(name: str) -> str:
    """A field's name as a person writes it: `final_answer` is `Final answer`."""
    words = name.replace("_", " ").strip() or name
    return words[:1].upper() + words[1:]
