"""A file's bytes, unzipped on the way, and the errors of reading them in words."""

from __future__ import annotations

import gzip
import shlex
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pdr_dspy.errors import DataError
from pdr_dspy.regular import other_kind

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
    _check_kind(path)
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
    _check_kind(path)
    try:
        with path.open("rb") as raw:
            return raw.read(count)
    except OSError as error:
        raise _unreadable(path, error) from None


def not_text(path: Path, column: str = "") -> DataError:
    """The error for a file whose bytes are no UTF-8, with the first line and character that are none.

    Args:
        path: The file.
        column: The table's column there, where that is known.
    """
    with opened(path) as file:
        for number, raw in enumerate(file, start=1):
            if number == 1 and raw.startswith(UTF16):
                return DataError("data", f"{path} is UTF-16 text, not UTF-8 text", as_utf8(path, "utf-16"))
            try:
                raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                place = len(raw[: error.start].decode("utf-8-sig" if number == 1 else "utf-8")) + 1
                named = f", column {column!r}" if column else ""
                found = (
                    f"{path}, line {number}{named} is not UTF-8 text (character {place}: byte {raw[error.start]:#04x})"
                )
                return DataError("data", found, as_utf8(path, "cp1252"))
    return DataError("data", f"{path} is not UTF-8 text", as_utf8(path, "cp1252"))


def as_utf8(path: Path, encoding: str) -> str:
    """How to mend a text that is in another encoding."""
    file = shlex.quote(str(path))
    convert = f"iconv -f {encoding} -t utf-8"
    zipped = first_bytes(path, 2) == GZIP
    command = f"gzip -dc {file} | {convert}" if zipped else f"{convert} {file}"
    name = path.name.removesuffix(".gz") if zipped else path.name
    other = " (cp1252 is what Excel writes on Windows; other programs, other encodings)" if encoding == "cp1252" else ""
    return f"Save it as UTF-8 text, or convert it: `{command} > {shlex.quote('utf8-' + name)}`{other}."


def _check_kind(path: Path) -> None:
    if kind := other_kind(path):
        mend = "Give a file with problems; what comes out of a pipe, write into one first."
        raise DataError("data", f"{path} is {kind}, not a file", mend)


def _unreadable(path: Path, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError("data", f"there is no file {path}", "Give the path of a file with problems.")
    reason = error.strerror or str(error)
    return DataError("data", f"{path} can't be read ({reason})", "Give one file that can be read.")
