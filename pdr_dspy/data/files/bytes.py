"""A file's bytes, unzipped on the way, and the errors of reading them in words."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pdr_dspy.errors import DataError

GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"
UTF16 = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unzipped where they are a gzip file's, whatever its name.

    Raises:
        DataError: there is no such file, it can't be read, or is damaged (also within the block).
    """
    try:
        zipped = first_bytes(path, 2) == GZIP
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            yield file  # type: ignore[misc]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        mend = "Write or download it again; `gzip -t` checks it."
        raise DataError("data", f"{path} is no whole gzip file ({error})", mend) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def first_bytes(path: Path, count: int, *, unzipped: bool = False) -> bytes:
    """How the file begins.

    Raises:
        DataError: it can't be read.
    """
    if unzipped:
        with opened(path) as file:
            return file.read(count)
    try:
        with path.open("rb") as raw:
            return raw.read(count)
    except OSError as error:
        raise _unreadable(path, error) from None


def not_text(path: Path, where: str, error: UnicodeDecodeError) -> DataError:
    """The error for bytes that are no UTF-8."""
    found = f"{path}{where} is not UTF-8 text (byte {error.start}: {error.object[error.start]:#04x})"
    return DataError("data", found, "Save it as UTF-8 text.")


def _unreadable(path: Path, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError("data", f"there is no file {path}", "Give the path of a file with problems.")
    reason = error.strerror or str(error)
    return DataError("data", f"{path} can't be read ({reason})", "Give one file that can be read.")
