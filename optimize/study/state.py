"""The directory a study lives in: one process at a time or the workers of one study, files written whole.

`runs/<study>/` holds the journal, the completions, the report and the winner. A lock that the operating system drops
with its process guards it, so that a killed search never blocks the next one. Workers share the lock, and each holds
one of its own, by which others on the same machine know that it has ended. Knows nothing of Optuna.
"""

from __future__ import annotations

import os
import platform
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pdr_dspy.data.files import without_ending
from pdr_dspy.disk import disk_error
from pdr_dspy.disk import write_whole as write_whole
from pdr_dspy.errors import InputError

JOURNAL = "journal.log"


def slug(text: str) -> str:
    """A text as part of a file name: letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or "x"


def default_name(budget: str, data: str, model: str) -> str:
    """A readable study name from what is searched: `tokens-16k_worksheets_Qwen3-8B`."""
    return "_".join(slug(part)[:60] for part in (budget, without_ending(data), model.rsplit("/", 1)[-1]))


def study_name(text: str) -> str:
    """A study's name as it was given, if it can be the name of a directory below `runs/`.

    Raises:
        InputError: it is a path, or no name for a file.
    """
    name = re.compile(r"(?!\.{1,2}\Z)[^/\\\x00-\x1f\x7f]{1,200}")
    if not name.fullmatch(text):
        shown = ascii(text if len(text) <= 60 else text[:57] + "...")
        mend = "Give a name, without / and \\; --runs says where its directory is"
        raise InputError("study", f"{shown} is not a name of a study", mend)
    return text


@dataclass
class StateDir:
    """A study's directory, held by this process while it is open.

    Attributes:
        path: The directory, made if need be.
        shared: Whether other workers may hold it as well.
        worker: The name of this process among all workers, wherever they are (where `shared`).

    Raises:
        InputError: another living process has it.
        DiskError: it can't be made.
    """

    path: Path
    shared: bool = False
    worker: str = field(default_factory=lambda: f"{os.getpid()}-{uuid.uuid4().hex[:6]}")
    _own: IO[str] | None = field(default=None, repr=False)
    _lock: IO[str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.path = self.path.resolve()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise disk_error(self.path, error) from error
        if not _try_lock(self._lock, shared=self.shared):
            self._lock.close()
            raise InputError(
                "study",
                f"another process is working in {self.path}",
                "Wait for it, or give this one another name with --study",
            )
        if self.shared:
            mine = self._workers / f"{self.worker}.lock"
            mine.parent.mkdir(exist_ok=True)
            self._own = mine.open("a+", encoding="utf-8")
            _try_lock(self._own)
        else:
            _clear(self.path)

    @property
    def identity(self) -> str:
        """A name of the directory that is the same on every machine that sees it."""
        path = self.path / "id"
        with path.open("a+", encoding="utf-8") as file:  # of several that add one at once, the first line counts
            file.seek(0)
            if "\n" not in file.read():
                file.write(f"{uuid.uuid4().hex}\n")
        return path.read_text(encoding="utf-8").partition("\n")[0]

    def ended(self, owner: str) -> bool:
        """Whether a worker (`host:name`) has surely ended: it worked here on this machine, and dropped its lock."""
        host, _, name = owner.rpartition(":")
        path = self._workers / f"{name}.lock"
        if host != platform.node() or not path.exists():
            return False
        with path.open("a+", encoding="utf-8") as file:
            return _try_lock(file)

    @property
    def _workers(self) -> Path:
        return self.path / "workers"

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file whole: a reader sees the old content or the new one, never half of it.

        Raises:
            DiskError: it can't be written.
        """
        return write_whole(self.path / name, content)

    def close(self) -> None:
        """Let another process have it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._own is not None:
            self._own.close()
            self._own = None


def _clear(directory: Path) -> None:
    """Remove what a process left that was killed while it wrote: Optuna's own lock file, in all its names."""
    for left in directory.glob(f"{JOURNAL}.lock*"):
        left.unlink(missing_ok=True)


def _try_lock(file: IO[str], *, shared: bool = False) -> bool:
    try:
        if os.name == "nt":  # pragma: no cover
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
