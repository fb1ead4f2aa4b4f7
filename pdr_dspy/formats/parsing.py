"""What all formats share when they parse: the thinking taken away, their own marks first, then the lenient steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError

from pdr_dspy.formats.candidates import Unread
from pdr_dspy.formats.fields import main_value, values_of
from pdr_dspy.formats.phrases import is_placeholder, refuses
from pdr_dspy.formats.reading import read
from pdr_dspy.formats.record import MARKS, note
from pdr_dspy.written import written

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u2060\ufeff"))

Own = Callable[[type[dspy.Signature], str], dict[str, Any]]
"""A format's own parser; a ValueError where a text is not written as the format asks for."""


def parsed(signature: type[dspy.Signature], completion: str, own: Own, adapter: str) -> dict[str, Any]:
    """The fields of a completion; how they were found is noted.

    Args:
        signature: Whose fields are wanted.
        completion: What the model wrote.
        own: The format's own parser.
        adapter: The adapter's name, for the error.

    Raises:
        AdapterParseError: a field can't be found.
    """
    text = written(completion.translate(_INVISIBLE), signature.output_fields)
    try:
        fields = own(signature, text)
        _whole(signature, fields)
    except (ValueError, RecursionError):
        pass
    else:
        note(MARKS)
        return fields
    try:
        fields, how = read(signature, text)
    except Unread as error:
        raise AdapterParseError(adapter, signature, completion, message=str(error)) from None
    note(how)
    return fields


def _whole(signature: type[dspy.Signature], fields: dict[str, Any]) -> None:
    """Whether every field has something in it that the model wrote.

    Raises:
        ValueError: the answer is empty, a value is a copy of the prompt's placeholder, or a helper refused.
    """
    values = values_of(signature)
    main = main_value(list(values))
    for name, value in fields.items():
        if isinstance(value, str) and (
            (name == main and not value.strip()) or (name in values and is_placeholder(value))
        ):
            raise ValueError(f"nothing stands in {name!r}")
    if not values and refuses("".join(str(value) for value in fields.values())):
        raise ValueError("the model refused")
