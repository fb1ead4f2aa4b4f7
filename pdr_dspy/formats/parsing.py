"""What all formats share when they parse: the thinking taken away, their own marks first, then the lenient steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError

from pdr_dspy.formats.reading import Unread, read
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
    text = written(completion.translate(_INVISIBLE))
    try:
        fields = own(signature, text)
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
