"""Writing what must not be lost: a whole line or none of it, a whole file or the old one, and what a full disk says.

Knows nothing of what is written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from pdr_dspy.errors import DiskError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers that say that a disk, or what one may have of it, is full."""


def disk_error(path: Path, error: OSError) -> DiskError:
    """What to tell a person whose file (or directory) can't be written."""
    mend = "Free space there" if error.errno in FULL else "See to it that it can be written"
    problem = f"{path} can't be written ({error.strerror or type(error).__name__})"
    return DiskError("disk", problem, f"{mend}; what is done is kept, and the same command goes on")


def append_whole(file: int, data: bytes) -> int:
    """Append to a file that nobody else writes to meanwhile; returns the offset the data is at.

    Args:
        file: Descriptor, opened for appending.
        data: What to append.

    Raises:
        OSError: it can't be written; of the data nothing is left in the file, so that what is appended later does not
            follow half a line.
    """
    start = os.lseek(file, 0, os.SEEK_END)
    rest = memoryview(data)
    try:
        while rest:  # a signal or a nearly full disk: a part of it
            rest = rest[os.write(file, rest) :]
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(file, start)
        raise
    return start


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write a file by renaming a complete one into its place: a reader sees the old content or the new one.

    Raises:
        DiskError: it can't be written; the old file is still there.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # else a power cut may leave the new name with nothing in it
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise disk_error(path, error) from error
    return path
