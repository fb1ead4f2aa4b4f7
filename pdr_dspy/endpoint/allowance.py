"""A limit on what may be generated in all, kept by every request and across processes.

Before a request is sent its `max_tokens` are set aside; when it ends, what was really generated is booked instead. So
the limit holds at every instant, whatever is killed when. Not counted: prompts. Counted in full, because nobody knows
better: a request that was cut off, timed out, failed in any way but one that is known to come before the first token
(`delivery`), or was in flight when its process died. Once a request was refused, so is every other: the refusal ends
the run, and what was sent after it would be cut off by that end, paid for and lost. Knows nothing of calls.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pdr_dspy.disk import append_whole, disk_error
from pdr_dspy.errors import DiskError, InputError, SpendExhausted

logger = logging.getLogger(__name__)

_SUFFIX = ".spend"
_LINE = re.compile(
    rb"(?P<sign>[+-])(?P<name>[0-9a-f]+) (?P<tokens>[0-9]{1,18})$"
)  # $: behind half a line there may be a whole one


@dataclass(frozen=True, slots=True)
class Hold:
    """Tokens set aside for a request."""

    id: str
    tokens: int


class Allowance(Protocol):
    """Who says whether a request may still be sent. An implementation is safe across threads."""

    def hold(self, tokens: int) -> Hold | None:
        """Set tokens aside; None: not before one of the requests in flight ends.

        Raises:
            SpendExhausted: nothing is in flight, and still there is not room enough, for this request or one before it.
            DiskError: it can't be written down; the request must not be sent.
        """

    def settle(self, hold: Hold, tokens: int | None) -> None:
        """Book what a request generated; None: nobody knows, so all that was set aside."""


class FileAllowance:
    """An allowance in a directory: one segment of short lines for each process, all of them counted together.

    `+ID TOKENS` is written before a request is sent, `-ID TOKENS` when it has ended; a `+` without its `-` counts.

    Args:
        directory: Where the segments are; made if need be.
        limit: Generated tokens in all; None only counts.

    Attributes:
        kept: Tokens of the limit that are not to be used yet.

    Raises:
        InputError: the directory can't be made or read.
    """

    def __init__(self, directory: str | Path, limit: int | None = None) -> None:
        self.directory = Path(directory)
        self.limit = limit
        self.kept = 0
        self._lock = threading.Lock()
        self._read: dict[Path, int] = {}
        self._open: dict[str, int] = {}  # held, by anyone, as far as the segments say
        self._settled = 0
        self._mine: dict[str, Hold] = {}
        self._refused = False
        self._gate = self._file = -1  # opened when first needed: who only reads leaves no trace
        self._name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}-{uuid.uuid4().hex[:8]}{_SUFFIX}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._scan()
        except OSError as error:
            problem = f"{directory}: {error.strerror}"
            raise InputError("spend", problem, "Give a directory that can be written") from None

    @property
    def spent(self) -> int:
        """Tokens booked, and set aside by requests in flight or cut off."""
        with self._lock:
            self._look()
            return self._settled + sum(self._open.values())

    def hold(self, tokens: int) -> Hold | None:
        """See `Allowance.hold`."""
        with self._lock, self._alone():
            self._look()
            spent = self._settled + sum(self._open.values())
            if self.limit is not None and (self._refused or spent + tokens > self.limit - self.kept):
                if self._mine:
                    return None
                self._refused = True
                raise SpendExhausted(spent, self.limit - self.kept)
            hold = Hold(uuid.uuid4().hex[:12], tokens)
            self._write(f"+{hold.id} {tokens}\n")
            self._mine[hold.id] = hold
            return hold

    def settle(self, hold: Hold, tokens: int | None) -> None:
        """See `Allowance.settle`."""
        with self._lock:
            self._mine.pop(hold.id, None)
            if tokens is not None:
                # What can't be written down stays set aside, in full: the next `hold` says why.
                with contextlib.suppress(DiskError):
                    self._write(f"-{hold.id} {tokens}\n")

    def free(self) -> None:
        """Keep nothing back any longer; who was refused may ask again."""
        with self._lock:
            self.kept, self._refused = 0, False

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            for file in (self._gate, self._file):
                if file >= 0:
                    os.close(file)
            self._gate = self._file = -1

    def _write(self, line: str) -> None:
        try:
            append_whole(self._file, line.encode())
        except OSError as error:
            raise disk_error(self.directory, error) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process sets tokens aside meanwhile."""
        try:
            if self._gate < 0:
                self._gate = os.open(self.directory / "gate", os.O_RDWR | os.O_CREAT, 0o644)
            if self._file < 0:
                self._file = os.open(self.directory / self._name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise disk_error(self.directory, error) from error
        if os.name == "nt":  # pragma: no cover
            yield  # there, two processes may both take the last room
            return
        import fcntl

        fcntl.flock(self._gate, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    def _look(self) -> None:
        try:
            self._scan()
        except OSError as error:
            raise disk_error(self.directory, error) from error

    def _scan(self) -> None:
        for entry in os.scandir(self.directory):
            if not entry.name.endswith(_SUFFIX) or not entry.is_file():  # a pipe would be waited for
                continue
            if entry.stat().st_size > self._read.get(path := Path(entry.path), 0):
                self._take_in(path)

    def _take_in(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]  # half a line: its request was not sent, or is still held
        self._read[path] = self._read.get(path, 0) + len(whole)
        for line in whole.splitlines():
            found = _LINE.search(line)
            if found is None or found.start():
                # Set aside or booked, nobody can say how much: what is still held of it counts in full.
                logger.warning("spend %s: a line of %s can't be read and is not counted", self.directory, path.name)
            if found is None:
                continue
            name, tokens = found["name"].decode(), int(found["tokens"])
            if found["sign"] == b"+":
                self._open[name] = tokens
            else:
                self._open.pop(name, None)
                self._settled += tokens
