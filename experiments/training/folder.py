"""A stage's folder: what it was begun with, its checkpoints, its MLflow run. A kill at any point harms none of it.

training.json       what is trained (a run that goes on must be the same), the MLflow run, how far it has come
lock                held by the process that trains
checkpoint-12/      Hugging Face's format, with the optimiser's state (operator SFT: checkpoint.pt)
final/              the trained model
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.configuration import ConfigError

STATE = "trainer_state.json"
"""What transformers writes last of a checkpoint."""


@dataclass(frozen=True)
class Folder:
    """A stage's folder.

    Attributes:
        path: Where it is.
    """

    path: Path

    @property
    def final(self) -> Path:
        """The trained model, once the stage has ended."""
        return self.path / "final"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, no other process trains here.

        Raises:
            ConfigError: another one does, or the folder can't be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("w")
        except OSError as error:
            raise ConfigError("--output", f"{self.path} can't be written ({error.strerror})", "Name another") from None
        with lock:
            try:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:  # pragma: no cover - a system without it
                pass
            except OSError:
                mend = "Wait for it to end, or name another folder"
                raise ConfigError("--output", f"another process trains in {self.path}", mend) from None
            yield

    def ended(self, what: dict[str, Any], steps: int) -> bool:
        """Whether so many rollout steps (or turns) of it are done, and the model is in `final`.

        Raises:
            ConfigError: something else has ended here.
        """
        if not self.final.is_dir() or self.notes().get("ended") != steps:
            return False
        self._refuse_other(what)
        return True

    def notes(self) -> dict[str, Any]:
        """What was noted of the run so far.

        Raises:
            ConfigError: `training.json` can't be read.
        """
        return dict(self._read().get("notes", {}))

    def begin(self, what: dict[str, Any]) -> dict[str, Any]:
        """Begin a stage here, or go on with it.

        Args:
            what: Everything that decides what is trained, as plain data.

        Returns:
            The notes of the run so far (`note`).

        Raises:
            ConfigError: something else was begun here and has left something.
        """
        if self._begun():
            self._refuse_other(what)
        said = self._read()
        if not said or said["mark"] != _mark(what):
            self.path.mkdir(parents=True, exist_ok=True)
            self._write({"mark": _mark(what), "what": _plain(what), "notes": {}})
        return self.notes()

    def _begun(self) -> bool:
        """Whether a training has left something here."""
        return any(any(self.path.glob(each)) for each in ("final", "checkpoint*", "states"))

    def _refuse_other(self, what: dict[str, Any]) -> None:
        said = self._read()
        mend = "Name another folder with --output, or run what was begun there"
        if not said:
            raise ConfigError("--output", f"{self.path} holds a training, and no training.json that says which", mend)
        if said["mark"] != _mark(what):
            old = said["what"]
            differs = sorted(key for key in {*old, *what} if _plain(what.get(key)) != old.get(key))
            raise ConfigError("--output", f"{self.path} holds another training (other: {', '.join(differs)})", mend)

    def note(self, **notes: Any) -> None:
        """Keep something of the run beside it."""
        said = self._read()
        self._write({**said, "notes": {**said["notes"], **notes}})

    def last_checkpoint(self, needs: Sequence[str] = ()) -> Path | None:
        """The newest whole checkpoint; what a kill left half-written is removed.

        Args:
            needs: Files that are a part of it besides transformers' own.
        """
        found: list[tuple[int, Path]] = []
        for each in self.path.glob("checkpoint-*"):
            try:
                state = json.loads((each / STATE).read_text(encoding="utf-8"))
                step = int(state["global_step"])
                whole = all((each / name).is_file() for name in needs)
            except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
                whole, step = False, 0
            if whole:
                found.append((step, each))
            else:
                shutil.rmtree(each, ignore_errors=True)
        return max(found)[1] if found else None

    def _read(self) -> dict[str, Any]:
        try:
            said = json.loads((self.path / "training.json").read_text(encoding="utf-8"))
            if not isinstance(said, dict):
                raise ValueError("it says nothing of a training")
            for name, kind in (("mark", str), ("what", dict), ("notes", dict)):
                if not isinstance(said.get(name), kind):
                    raise ValueError(f"{name}: there is no such field, or it is of another kind")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            mend = "Name another folder, or remove this one"
            raise ConfigError("--output", f"{self.path / 'training.json'} can't be read ({error})", mend) from None
        return said

    def _write(self, said: dict[str, Any]) -> None:
        part = self.path / "training.json.part"
        part.write_text(json.dumps(said, indent=2), encoding="utf-8")
        os.replace(part, self.path / "training.json")


def _mark(what: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
