"""A look at what a function of the root was given, before it is worked on: another thing is an error that says so."""

from __future__ import annotations

import reprlib

from pdr_dspy.errors import InputError


def need_kind(value: object, kind: type | tuple[type, ...], error: type[InputError], field: str, mend: str) -> None:
    """See that a value is of a kind.

    Args:
        value: The value.
        kind: Its class, or those it may be of.
        error: What is raised else.
        field: What the value is called.
        mend: What to give instead.

    Raises:
        InputError: of the class `error`; it is of another kind.
    """
    if not isinstance(value, kind):
        shown = "" if value is None else f", of the type {type(value).__name__}"
        raise error(field, f"it is {reprlib.repr(value)}{shown}", mend)
