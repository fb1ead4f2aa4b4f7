"""Completions on disk: a directory of append-only JSONL segments, one for each process that writes.

A record is one line, written by one system call, so a killed process loses at most the line it was writing; nobody
writes after a torn line, because every process begins a segment of its own. Processes may share a directory: what the
others wrote is found at the next miss. Only the index (key to place) is held in memory. What is no record, or can't be
used, is put aside (`rejected`), said once, and asked for again.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from pdr_dspy.disk import append_whole, disk_error
from pdr_dspy.endpoint.rejected import FOLDER, Rejected
from pdr_dspy.endpoint.segments import BEGIN, Place, completion_in, key_in, line_at, lines, record
from pdr_dspy.endpoint.store import StoredCompletion
from pdr_dspy.errors import InputError

logger = logging.getLogger(__name__)

_SUFFIX = ".jsonl"
_RESCAN = 1.0  # seconds between looks at what other processes wrote
_NO_FILE = "no file that can be read"


@dataclass(frozen=True, slots=True)
class StoreReport:
    """State of a store.

    Attributes:
        records: Completions that can be had.
        segments: Files.
        torn: Unfinished last lines: of a process that was killed, or of one that is writing right now.
        damaged: Finished lines that can't be read; each was reported in the log once, and put aside.
        rejected: Records that were put aside, now or before.
    """

    records: int
    segments: int
    torn: int
    damaged: int
    rejected: int = 0


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
        self._places: dict[str, Place] = {}
        self._others: dict[str, list[Place]] = {}  # later ones of a key, where there are
        self._foreign: dict[str, str] = {}  # what is no segment though it is named like one, and why
        self._read: dict[Path, int] = {}  # segment -> bytes indexed, up to the end of a line
        self._torn: set[Path] = set()
        self._damaged = 0
        self._file: int | None = None
        self._owner = 0  # a forked child must not write into its parent's segment
        self._own: Path | None = None
        self._scanned = 0.0
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._rejected = Rejected(self.directory)
            self._scan()
        except OSError as error:
            problem = f"{directory}: {error.strerror or error}"
            raise InputError("store", problem, "Give a directory that can be written") from None
        if unread := [f"{name} ({why})" for name, why in self._foreign.items() if why != _NO_FILE]:
            mend = "See to it that it can be read, or move it away: what is in it would be asked for again"
            raise InputError("store", f"{directory}: {', '.join(unread)}", mend)
        if self._torn:
            names = ", ".join(sorted(p.name for p in self._torn))
            logger.warning("store %s: an unfinished last line is skipped in %s", self.directory, names)

    def get(self, key: str) -> StoredCompletion | None:
        """The completion of this key, or None."""
        while True:
            with self._lock:
                place = self._places.get(key)
                if place is None and time.monotonic() - self._scanned > _RESCAN:
                    self._look()
                    place = self._places.get(key)
            if place is None:
                return None
            try:
                return completion_in(line_at(place), key)
            except (OSError, ValueError) as error:  # changed since it was indexed
                logger.warning("store %s: %s can't be read any more (%s)", self.directory, place[0].name, error)
                self._put_aside(key, place, str(error))

    def put(self, key: str, completion: StoredCompletion) -> None:
        """Keep a completion, on disk when this returns; the first of a key stays.

        Raises:
            DiskError: it can't be written; the store is as it was.
        """
        line = record(key, completion)
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

    def reject(self, key: str, why: str) -> None:
        """Put the completion of this key aside, in `rejected/`; from now on there is another one or none."""
        with self._lock:
            place = self._places.get(key)
        if place is not None:
            self._put_aside(key, place, why)

    def refresh(self) -> None:
        """Look now at what other processes wrote.

        Raises:
            DiskError: the directory is not there any more.
        """
        with self._lock:
            self._look()

    @property
    def report(self) -> StoreReport:
        """The state as of the last look."""
        with self._lock:
            return StoreReport(len(self._places), len(self._read), len(self._torn), self._damaged, len(self._rejected))

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

    def _put_aside(self, key: str, place: Place, why: str) -> None:
        path, offset, _ = place
        try:
            line = line_at(place)
        except OSError:
            line = b""
        with self._lock:
            if self._places.get(key) != place:  # another thread did
                return
            self._set_aside(path, offset, key, why, line)
            later = self._others.get(key, [])
            if later:
                self._places[key] = later.pop(0)
            else:
                del self._places[key]

    def _set_aside(self, path: Path, offset: int, key: str | None, why: str, line: bytes) -> None:
        if not self._rejected.add(path.name, offset, key, why, line):
            logger.warning("store %s: %s/ can't be written, so that this is said again", self.directory, FOLDER)

    def _look(self) -> None:
        try:
            self._scan()
        except OSError as error:
            raise disk_error(self.directory, error) from error

    def _scan(self) -> None:
        for entry in sorted(os.scandir(self.directory), key=lambda e: e.name):
            path = Path(entry.path)
            if not entry.name.endswith(_SUFFIX) or (path == self._own and self._owner == os.getpid()):
                continue
            try:
                status = entry.stat()
                if not stat.S_ISREG(status.st_mode):
                    self._pass_over(entry.name, _NO_FILE)
                elif status.st_size > self._read.get(path, 0) or path not in self._read:
                    self._index(path)
            except OSError as error:
                self._pass_over(entry.name, _NO_FILE if entry.is_symlink() else error.strerror or str(error))
        self._scanned = time.monotonic()

    def _pass_over(self, name: str, why: str) -> None:
        if name not in self._foreign:
            logger.warning("store %s: %s is passed over (%s)", self.directory, name, why)
        self._foreign[name] = why

    def _index(self, path: Path) -> None:
        offset = self._read.get(path, 0)
        self._torn.discard(path)
        for begin, end, line in lines(path, offset):
            if not line.endswith(b"\n"):
                self._torn.add(path)  # looked at again when it has grown
                break
            self._enter(path, begin, line)
            offset = end
        self._read[path] = offset

    def _enter(self, path: Path, offset: int, line: bytes) -> None:
        aside = (path.name, offset) in self._rejected
        key, why = (None, "") if aside else key_in(line)
        if key is None:
            if not aside:
                self._damaged += 1
                text = "store %s: the record at byte %d of %s can't be read and is put aside (%s)"
                logger.warning(text, self.directory, offset, path.name, why)
                self._set_aside(path, offset, None, why, line)
            # Half a record, perhaps, and behind it a whole one that came later.
            lost = line.rfind(BEGIN)
            if lost <= 0 or (path.name, offset + lost) in self._rejected:
                return
            offset, line = offset + lost, line[lost:]
            key, _ = key_in(line)
        if key is None:
            return
        place = (path, offset, len(line))
        if self._places.setdefault(key, place) != place:
            self._others.setdefault(key, []).append(place)
