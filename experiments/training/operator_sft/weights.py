"""From the trainer's model to a Hugging Face folder, by way of the checkpoint that the export reads."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import torch

from experiments.reasoner.export import TOKENIZER_FILES, write_hf
from experiments.reasoner.model import Reasoner


def write(model: Reasoner, tokenizer: Path, target: Path) -> Path:
    """Writes the model as a Hugging Face folder, with the tokenizer of another one.

    `checkpoint.pt` lies beside it, so that `experiments.reasoner.export` makes the OpenVINO files of the same folder.
    """
    target.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict(), "shape": asdict(model.shape)}, target / "checkpoint.pt")
    for name in TOKENIZER_FILES:
        shutil.copy(tokenizer / name, target / name)
    write_hf(target, target)
    return target
