"""A run of operator SFT: what it was begun with, where it is, and what follows from both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from experiments.reasoner.train import WARM_UP
from experiments.training.folder import Folder
from experiments.training.operator_sft.config import TeacherSFT


@dataclass(frozen=True)
class Begun:
    """A run.

    Attributes:
        stage: What it is told.
        name: Its name in MLflow.
        seed: Of everything drawn.
        model: Where it starts from: a folder in Hugging Face's format.
        folder: Where it is kept.
        minutes: After which it stops with a checkpoint; None: at its end.
        root: Where `mlflow.db` is.
    """

    stage: TeacherSFT
    name: str
    seed: int
    model: Path
    folder: Folder
    minutes: float | None
    root: Path

    def what(self) -> dict[str, Any]:
        """Everything that decides what is trained."""
        return {**self.stage.model_dump(mode="json"), "seed": self.seed, "model": str(self.model)}


@dataclass
class Place:
    """Where a run is.

    Attributes:
        turn: Turns that are done.
        chunk: Chunks of examples that are done, over all turns.
        step: Updates.
        tokens: Trained tokens.
    """

    turn: int = 0
    chunk: int = 0
    step: int = 0
    tokens: int = 0


def products() -> Literal["bfloat16", "float32"]:
    """The faster precision of matrix products here: without instructions for bfloat16 it is ten times slower."""
    can = torch.cpu.get_capabilities()
    return "bfloat16" if can.get("avx512_bf16") or can.get("amx_tile") or can.get("bf16") else "float32"


def factor_at(stage: TeacherSFT, place: Place) -> float:
    """The factor on the learning rates: a short warm-up, then linearly to 0 at the end of the last turn."""
    left = max(0.0, 1.0 - place.tokens / (stage.turns * stage.tokens))
    return stage.rate * min(1.0, (place.step + 1) / WARM_UP) * left
