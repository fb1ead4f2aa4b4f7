"""A value as DSPy reads it into a field's type, in time linear in the text. Pure."""

from __future__ import annotations

import enum
import math
import types
from typing import Any, Literal, Union, get_args, get_origin

from dspy.adapters.types.base_type import Type as DspyType
from dspy.adapters.utils import parse_value
from pydantic import TypeAdapter, ValidationError

from pdr_dspy.formats.repairing import python_literal, repaired


def strict(value: Any, annotation: Any) -> Any:
    """The value as DSPy reads it.

    Raises:
        ValueError: it is none of that type.
    """
    read: Any = parsed_value(value, annotation)
    if isinstance(read, float) and not math.isfinite(read):
        raise ValueError(f"{read} is no number")
    return read


def parsed_value(value: Any, annotation: Any) -> Any:
    """As `parse_value`, which repairs a text in whatever time that takes."""
    texts = get_origin(annotation) in (Union, types.UnionType) and {str, type(None)} <= set(get_args(annotation))
    if not isinstance(value, str) or annotation is str or isinstance(annotation, enum.EnumMeta) or texts:
        return parse_value(value, annotation)
    if get_origin(annotation) is Literal:
        options = get_args(annotation)
        if value in options or (value := _spelling(value)) in options:
            return value
    candidate = repaired(value)
    if candidate == "" and value:
        try:
            candidate = python_literal(value)
        except ValueError:
            candidate = value
    try:
        return TypeAdapter(annotation).validate_python(candidate)
    except ValidationError:
        if not (isinstance(annotation, type) and issubclass(annotation, DspyType)):
            raise
        return TypeAdapter(annotation).validate_python(value)  # it may have a parser of its own


def _spelling(value: str) -> str:
    """An option without the quotes, or the type's name, around it."""
    value = value.strip()
    if value.startswith(("Literal[", "str[")) and value.endswith("]"):
        value = value[value.find("[") + 1 : -1]
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
