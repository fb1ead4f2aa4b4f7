"""What a command prints: no secrets, and no character that does something else to a terminal than to be seen.

Names and texts that a model, a server or a file gave may hold escape sequences (which move the cursor, rename the
window, answer in the user's name) and characters that turn the direction of writing around. They are written as
escapes (`\\x1b`), as is what the stream's encoding lacks.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from pdr_dspy.secrets.redaction import redacted

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]|\r(?!\n)"
)


def visible(text: str) -> str:
    """A text whose control characters, but line breaks and tabs, are written as escapes."""
    return _CONTROL.sub(lambda found: _escape(found[0]), text)


def name_of(text: str) -> str:
    """A name in a line: line breaks and tabs are written as escapes, too."""
    return re.sub(r"[\t\r\n]", lambda found: _escape(found[0]), visible(text))


def printable(text: str) -> str:
    """A text as it may be printed: without secrets, and `visible`."""
    return visible(redacted(text))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


class PrintableStream:
    """A stream that writes texts as they may be printed; else it is the stream beneath it.

    Args:
        beneath: The stream.
    """

    def __init__(self, beneath: TextIO) -> None:
        self.beneath = beneath

    def write(self, text: str) -> int:
        """Write a text; returns its length."""
        # What begins with a carriage return is a line that renews itself, as bars of libraries do.
        again = "\r" * text.startswith("\r")
        self.beneath.write(again + printable(text[len(again) :]))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


@contextmanager
def printing() -> Iterator[None]:
    """While it is open, stdout and stderr print what may be printed alone."""
    os.environ.setdefault("PYTHON_COLORS", "0")  # from 3.13 on tracebacks have escape sequences for colours
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = map(printable_stream, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def printable_stream(stream: TextIO) -> TextIO:
    """A stream that prints what may be printed alone."""
    return stream if isinstance(stream, PrintableStream) else cast(TextIO, PrintableStream(stream))


def beneath(stream: TextIO) -> TextIO:
    """The stream itself, for who draws with escape sequences of his own (and prints `printable` texts)."""
    return stream.beneath if isinstance(stream, PrintableStream) else stream
