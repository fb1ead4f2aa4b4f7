"""Completions on disk: a directory of append-only JSONL segments, one for each process that writes.

A record is one line, written by one system call, so a killed process loses at most the line it was writing; nobody
writes after a torn line, because every process begins a segment of its own. Processes may share a directory: what the
others wrote is found at the next miss. Only the index (key to place) is held in memory.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from pdr_dspy.disk import append_whole, disk_error
from pdr_dspy.endpoint.store import StoredCompletion
from pdr_dspy.errors import InputError

logger = logging.getLogger(__name__)

_SUFFIX = ".jsonl"
_BEGIN = b'{"key":'  # of a record; within one, quotation marks are escaped
_RESCAN = 1.0  # seconds between looks at what other processes wrote


@dataclass(frozen=True, slots=True)
class StoreReport:
    """State of a store.

    Attributes:
        records: Completions that can be had.
        segments: Files.
        torn: Unfinished last lines: of a process that was killed, or of one that is writing right now.
        damaged: Finished lines that can't be read; each was reported in the log once.
    """

    records: int
    segments: int
    torn: int
    damaged: int


class FileStore:
    """Completions in a directory, which is made if need be.

    Args:
        directory: Where the segments are.

    Raises:
        InputError: the directory can't be made or read.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self._lock = threading.Lock()
        self._places: dict[str, tuple[Path, int, int]] = {}  # key -> segment, offset, length
        self._read: dict[Path, int] = {}  # segment -> bytes indexed, up to the end of a line
        self._torn: set[Path] = set()
        self._damaged = 0
        self._file: int | None = None
        self._owner = 0  # a forked child must not write into its parent's segment
        self._own: Path | None = None
        self._scanned = 0.0
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"{directory}: {error.strerror}"
            raise InputError("store", problem, "Give a directory that can be written") from None
        self.refresh()
        if self._torn:
            names = ", ".join(sorted(p.name for p in self._torn))
            logger.warning("store %s: an unfinished last line is skipped in %s", self.directory, names)

    def get(self, key: str) -> StoredCompletion | None:
        """The completion of this key, or None."""
        with self._lock:
            place = self._places.get(key)
            if place is None and time.monotonic() - self._scanned > _RESCAN:
                self._scan()
                place = self._places.get(key)
        if place is None:
            return None
        path, offset, length = place
        with path.open("rb") as file:
            file.seek(offset)
            record = json.loads(file.read(length))
        return StoredCompletion.from_dict(record["completion"])

    def put(self, key: str, completion: StoredCompletion) -> None:
        """Keep a completion, on disk when this returns; the first of a key stays.

        Raises:
            DiskError: it can't be written; the store is as it was.
        """
        record = {"key": key, "completion": completion.as_dict()}
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        with self._lock:
            if key in self._places:
                return
            try:
                path, file = self._segment()
                offset = append_whole(file, line)
            except OSError as error:
                raise disk_error(self.directory, error) from error
            self._places[key] = (path, offset, len(line))
            self._read[path] = offset + len(line)

    def refresh(self) -> None:
        """Look now at what other processes wrote."""
        with self._lock:
            self._scan()

    @property
    def report(self) -> StoreReport:
        """The state as of the last look."""
        with self._lock:
            return StoreReport(len(self._places), len(self._read), len(self._torn), self._damaged)

    def __len__(self) -> int:
        return self.report.records

    def close(self) -> None:
        """Close the segment; a later `put` begins another."""
        with self._lock:
            if self._file is not None and self._owner == os.getpid():
                os.close(self._file)
            self._file = None

    def _segment(self) -> tuple[Path, int]:
        if self._file is None or self._own is None or self._owner != os.getpid():
            stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
            self._own = self.directory / f"{stamp}-{os.getpid()}-{uuid.uuid4().hex[:8]}{_SUFFIX}"
            self._file = os.open(self._own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            self._owner = os.getpid()
        return self._own, self._file

    def _scan(self) -> None:
        for entry in sorted(os.scandir(self.directory), key=lambda e: e.name):
            path = Path(entry.path)
            if not entry.name.endswith(_SUFFIX) or (path == self._own and self._owner == os.getpid()):
                continue
            if entry.stat().st_size > self._read.get(path, 0) or path not in self._read:
                self._index(path)
        self._scanned = time.monotonic()

    def _index(self, path: Path) -> None:
        offset = self._read.get(path, 0)
        self._torn.discard(path)
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    self._torn.add(path)  # looked at again when it has grown
                    break
                self._enter(path, offset, line)
                offset += len(line)
        self._read[path] = offset

    def _enter(self, path: Path, offset: int, line: bytes) -> None:
        key = _key(line)
        if key is None:
            self._damaged += 1
            logger.warning("store %s: the record at byte %d of %s can't be read", self.directory, offset, path.name)
            # Half a record, perhaps, and behind it a whole one that came later.
            lost = max(line.rfind(_BEGIN), 0)
            key, offset, line = _key(line[lost:]), offset + lost, line[lost:]
        if key is not None:
            self._places.setdefault(key, (path, offset, len(line)))


def _key(line: bytes) -> str | None:
    """The key of a record, or None where the line is none."""
    try:
        record = json.loads(line)
        StoredCompletion.from_dict(record["completion"])
        return str(record["key"])
    except (ValueError, KeyError, TypeError):
        return None
