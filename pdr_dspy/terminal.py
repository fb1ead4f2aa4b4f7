"""What a command prints: no secrets, and no character that does something else to a terminal than to be seen.

Names and texts that a model, a server or a file gave may hold escape sequences (which move the cursor, rename the
window, answer in the user's name) and characters that turn the direction of writing around. They are written as
escapes (`\\x1b`), as is what the stream's encoding lacks. What goes to a terminal that was closed is dropped, and the
command goes on.
"""

from __future__ import annotations

import errno
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


class _LastingFile(io.RawIOBase):
    """A file descriptor that is written to as long as someone may read it.

    Args:
        beneath: The descriptor; it stays open.
        every_error: Drop what can't be written for any reason. Else a terminal that was closed alone is passed over.
    """

    def __init__(self, beneath: int, *, every_error: bool) -> None:
        self._beneath = beneath
        self._every = every_error

    def fileno(self) -> int:
        """The descriptor."""
        return self._beneath

    def isatty(self) -> bool:
        """Whether it is a terminal that is still there."""
        return os.isatty(self._beneath)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int | None:
        """Write what is taken at once; returns how much that was, None where it would block."""
        try:
            return os.write(self._beneath, data)
        except BlockingIOError:
            return None
        except OSError as error:
            if self._every or error.errno == errno.EIO:
                return len(data)
            raise


def _lasting(stream: TextIO | None, *, every_error: bool) -> TextIO:
    """The stream, written to as long as someone may read it; characters that its encoding lacks are escaped."""
    if stream is None:  # the shell's `>&-`
        return open(os.devnull, "w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        stream.flush()
        file = _LastingFile(stream.fileno(), every_error=every_error)
    except (OSError, ValueError):  # closed, or none of the system's
        if not stream.closed:
            stream.reconfigure(errors="backslashreplace")
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


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
    sys.stdout = printable_stream(_lasting(before[0], every_error=False))
    sys.stderr = printable_stream(_lasting(before[1], every_error=True))
    ours = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in ours:
            stream.flush()


def printable_stream(stream: TextIO) -> TextIO:
    """A stream that prints what may be printed alone."""
    return stream if isinstance(stream, PrintableStream) else cast(TextIO, PrintableStream(stream))


def beneath(stream: TextIO) -> TextIO:
    """The stream itself, for who draws with escape sequences of his own (and prints `printable` texts)."""
    return stream.beneath if isinstance(stream, PrintableStream) else stream
