"""Records of a store that are not read any more, each with the reason: `rejected/` beside the segments.

A segment only grows, and another process may be growing it, so a record that can't be used stays where it is; a line in
`rejected/` says where that is and why, and holds a copy. What has such a line is passed over from then on.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import time
import uuid
from pathlib import Path

from pdr_dspy.disk import append_whole

logger = logging.getLogger(__name__)

FOLDER = "rejected"
_SUFFIX = ".jsonl"
_COPIED = 2**20  # bytes of a record; all of it is in its segment
_LONGEST = 8 * _COPIED  # bytes of a line here: a copy and what stands around it, escaped


class Rejected:
    """The records of one store that were put aside.

    Args:
        directory: The store's.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory / FOLDER
        self._known: set[tuple[str, int]] = set()
        self._name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}-{uuid.uuid4().hex[:8]}{_SUFFIX}"
        for path in sorted(self.directory.glob(f"*{_SUFFIX}")):
            try:
                self._read(path)
            except OSError as error:
                logger.warning("%s can't be read (%s): what it puts aside is looked at again", path, error.strerror)

    def __contains__(self, place: tuple[str, int]) -> bool:
        """Whether the record at this place (name of the segment, offset in bytes) was put aside."""
        return place in self._known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, segment: str, offset: int, key: str | None, why: str, record: bytes) -> bool:
        """Put a record aside; False where that can't be written, so that only this process passes it over.

        Args:
            segment: Name of the file it is in.
            offset: Where in it, in bytes.
            key: Its key, where it has one that can be read.
            why: What is wrong with it.
            record: Its line.
        """
        self._known.add((segment, offset))
        copy = record[:_COPIED].decode("utf-8", "replace")
        kept = {"segment": segment, "offset": offset, "key": key, "why": why, "record": copy}
        try:
            self.directory.mkdir(exist_ok=True)
            file = os.open(self.directory / self._name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                append_whole(file, json.dumps(kept, separators=(",", ":")).encode() + b"\n")
            finally:
                os.close(file)
        except OSError:
            return False
        return True

    def _read(self, path: Path) -> None:
        if not stat.S_ISREG(path.stat().st_mode):
            return
        with path.open("rb") as file:
            while line := file.readline(_LONGEST):
                try:
                    kept = json.loads(line)
                    self._known.add((str(kept["segment"]), int(kept["offset"])))
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue  # a line that was cut off: its record is found and put aside again
