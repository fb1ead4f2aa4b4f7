"""A stage's folder: what it was begun with, its checkpoints, its MLflow run. A kill at any point harms none of it.

    training.json       what is trained (a run that goes on must be the same), the MLflow run
    checkpoint-12/      Hugging Face's format, with the optimiser's state
    final/              the trained model
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
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

    def begin(self, what: dict[str, Any]) -> dict[str, Any]:
        """Begin a stage here, or go on with it.

        Args:
            what: Everything that decides what is trained, as plain data.

        Returns:
            The notes of the run so far (`note`).

        Raises:
            ConfigError: something else was begun here.
        """
        mark = hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()
        said = self._read()
        if said and said["mark"] != mark:
            old = said["what"]
            differs = sorted(key for key in {*old, *what} if _plain(what.get(key)) != old.get(key))
            mend = "Name another folder with --output, or run what was begun there"
            raise ConfigError("--output", f"{self.path} holds another training (other: {', '.join(differs)})", mend)
        if not said:
            self.path.mkdir(parents=True, exist_ok=True)
            self._write({"mark": mark, "what": _plain(what), "notes": {}})
        return dict(self._read()["notes"])

    def note(self, **notes: Any) -> None:
        """Keep something of the run beside it."""
        said = self._read()
        self._write({**said, "notes": {**said["notes"], **notes}})

    def last_checkpoint(self) -> Path | None:
        """The newest whole checkpoint; what a kill left half-written is removed."""
        found: list[tuple[int, Path]] = []
        for each in self.path.glob("checkpoint-*"):
            try:
                state = json.loads((each / STATE).read_text(encoding="utf-8"))
                found.append((int(state["global_step"]), each))
            except (OSError, ValueError, KeyError):
                shutil.rmtree(each, ignore_errors=True)
        return max(found)[1] if found else None

    def _read(self) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads((self.path / "training.json").read_text(encoding="utf-8"))
        except OSError:
            return {}
        return said

    def _write(self, said: dict[str, Any]) -> None:
        part = self.path / "training.json.part"
        part.write_text(json.dumps(said, indent=2), encoding="utf-8")
        os.replace(part, self.path / "training.json")


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
