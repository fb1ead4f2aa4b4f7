"""What a terminal can show: characters that its encoding does not have are written as escapes."""

from __future__ import annotations

import io
import sys


def escape_unshowable() -> None:
    """Write half a character, or one that stdout's or stderr's encoding lacks, as `\\xe9`, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
