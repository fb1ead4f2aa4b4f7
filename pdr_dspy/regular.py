"""Whether a path names a file that ends: what is no file may block whoever opens it, or never end."""

from __future__ import annotations

import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def other_kind(path: Path) -> str:
    """What a path names that is no regular file, in words; "" where it is one, or nothing is there.

    Symbolic links are followed. Opens nothing.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # opening it will say why
        return ""
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "")
