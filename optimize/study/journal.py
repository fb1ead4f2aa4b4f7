"""Optuna's journal on disk, for processes that are killed and disks that are full.

Optuna's own backend appends behind whatever is there: half a line that a killed process or a full disk left grows into
a damaged line in the middle, and the study can never be read again. Here an append first drops an unreadable end, and
leaves nothing of itself where it fails. What is damaged in the middle is said, with the line and the mend: later lines
count trials from earlier ones, so that none of them may be left out.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend, JournalFileOpenLock

from optimize.study.journal_entries import why_not
from pdr_dspy.disk import append_whole, disk_error
from pdr_dspy.errors import InputError

logger = logging.getLogger(__name__)


class JournalFile(BaseJournalBackend):
    """A journal in a file, which is made if need be; its format is that of Optuna's `JournalFileBackend`.

    Args:
        path: The file.

    Raises:
        OSError: it can't be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = JournalFileOpenLock(str(path))
        self._offsets = [0]  # of the lines read so far, and of the one after them
        path.open("ab").close()

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The entries from this number on; an end that can't be read (yet) is left out.

        Raises:
            InputError: a line in the middle can't be read, or one says what Optuna can't have written.
        """
        start = min(log_number_from, len(self._offsets) - 1)
        with self.path.open("rb") as file:
            left = os.fstat(file.fileno()).st_size - self._offsets[start]  # of what others append now, nothing
            file.seek(self._offsets[start])
            bad: int | None = None
            for number, line in enumerate(file, start):
                left -= len(line)
                if left < 0:
                    return
                entry = _entry(line)
                if entry is None:
                    bad = number if bad is None else bad
                    continue
                if bad is not None:
                    raise self._damaged(bad)
                if number + 1 == len(self._offsets):
                    self._offsets.append(self._offsets[-1] + len(line))
                if number >= log_number_from:
                    if why := why_not(entry):
                        raise self._damaged(number, why)
                    yield entry

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append entries, on disk when this returns.

        Raises:
            DiskError: they can't be written; the journal is as it was.
            InputError: a line in the middle can't be read.
        """
        data = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        try:
            self._lock.acquire()
            try:
                file = os.open(self.path, os.O_RDWR | os.O_APPEND)
                try:
                    self._mend(file)
                    append_whole(file, data)
                    os.fsync(file)
                finally:
                    os.close(file)
            finally:
                self._lock.release()
        except OSError as error:
            raise disk_error(self.path, error) from error

    def _mend(self, file: int) -> None:
        """Drop an end that a process which died has left; no living one is writing, for this one has the lock."""
        for _ in self.read_logs(len(self._offsets) - 1):
            pass  # what others wrote since, so that `_offsets` ends where the readable lines do
        end, size = self._offsets[-1], os.fstat(file).st_size
        if size > end:
            logger.warning("%s: %d bytes at its end can't be read and are dropped", self.path, size - end)
            os.ftruncate(file, end)

    def _damaged(self, number: int, why: str = "") -> InputError:
        return InputError(
            "study",
            f"line {number + 1} of {self.path} can't be read: the file was damaged" + (f" ({why})" if why else ""),
            f"Keep the lines before it (head -n {number} {self.path.name} > mended; mv mended {self.path.name}): "
            "what is searched again costs nothing as far as its completions are stored",
        )


def _entry(line: bytes) -> dict[str, Any] | None:
    """The entry of a line, or None where it is none, or not all of one."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and "op_code" in entry else None
