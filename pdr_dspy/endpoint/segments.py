"""A segment of a store as bytes: its lines, and the record that a line is. Knows nothing of indexes and of other files.

A record ends with a checksum of the bytes before it: what was edited or damaged since is none, however well-formed it
is. Records of earlier versions have no checksum, and are read without. Pure, but for reading.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from pdr_dspy.endpoint.store import StoredCompletion

BEGIN = b'{"key":'
"""How a record begins; within one, quotation marks are escaped."""

Place = tuple[Path, int, int]
"""Where a record is: its segment, offset and length in bytes."""

_SUM = re.compile(rb',"sum":"([0-9a-f]{16})"\}\s*\Z')
_ENDING = 64  # bytes of a line that its checksum is in

_LONGEST = 2**28  # bytes of a line that is read; no completion is as long


def record(key: str, completion: StoredCompletion) -> bytes:
    """The line of a completion."""
    kept = {"key": key, "completion": completion.as_dict()}
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return b'%b,"sum":"%b"}\n' % (text[:-1], _sum(text[:-1]))


def lines(path: Path, offset: int) -> Iterator[tuple[int, int, bytes]]:
    """The lines from an offset on, as (begin, end, line); the last may lack its line break.

    Of one that is longer than any record there is the first part and the last byte alone.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        file.seek(offset)
        while line := file.readline(_LONGEST):
            while len(line) >= _LONGEST and not line.endswith(b"\n") and (rest := file.readline(_LONGEST)):
                line = line[: _LONGEST - 1] + rest[-1:]
            yield offset, file.tell(), line
            offset = file.tell()


def line_at(place: Place) -> bytes:
    """A record's line.

    Raises:
        OSError: the file can't be read.
    """
    path, offset, length = place
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def completion_in(line: bytes, key: str) -> StoredCompletion:
    """The completion of a record.

    Raises:
        ValueError: the line is none, or another key's.
    """
    found = _read(line)
    if found[0] != key:
        raise ValueError("another record is there")
    return found[1]


def key_in(line: bytes) -> tuple[str | None, str]:
    """The key of a record; or None where the line is none, and why it is not."""
    try:
        return _read(line)[0], ""
    except ValueError as error:
        return None, str(error)[:300]


def _read(line: bytes) -> tuple[str, StoredCompletion]:
    try:
        found = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict) or not isinstance(found.get("key"), str):
        raise ValueError("no record of a completion")
    if "sum" in found:
        begin = max(0, len(line) - _ENDING)
        said = _SUM.search(line[begin:])
        if said is None or said[1] != _sum(line[: begin + said.start()]):
            raise ValueError("it is not what was written: its checksum is another")
    return found["key"], StoredCompletion.from_dict(found.get("completion") or {})


def _sum(data: bytes) -> bytes:
    """Against accidents and edits, not against who makes one himself."""
    return hashlib.blake2b(data, digest_size=8, usedforsecurity=False).hexdigest().encode()
