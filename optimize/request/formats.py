"""`--format`: the formats of the prompts that a command is told to use. Pure."""

from __future__ import annotations

from typing import cast

from pdr_dspy.errors import InputError
from pdr_dspy.workflow import FORMATS, Format


def parse_formats(text: str) -> tuple[Format, ...]:
    """The formats of a text such as `plain` or `plain,json`, each once.

    Raises:
        InputError: something else.
    """
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise InputError(
                "--format",
                f"{name!r} is no format" if name else f"{text!r} names no format",
                f"Use one or several of {', '.join(FORMATS)}",
            )
    return tuple(dict.fromkeys(cast(list[Format], names)))
