"""Trained models as folders that vLLM, transformers and the embedded server load.

The embedded server runs OpenVINO's network, which holds the weights as constants. A model of the reasoner's shape keeps
the network and gets other numbers; another shape is converted by `experiments.reasoner.export` (which needs optimum).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.reasoner.network import WEIGHTS, write_network
from pdr_dspy.embedded.model import NETWORK

BESIDE = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json", "pdr.json")
"""What belongs to a model besides its weights and shape, as far as the origin has it."""


def save_model(model: Any, tokenizer: Any, origin: Path | None, target: Path) -> None:
    """Write a transformers model as a folder (`save_folder`).

    Args:
        model: A transformers model.
        tokenizer: Its tokenizer.
        origin: The folder it was trained from. None: it came from the Hub.
        target: Where to; what is there is replaced.

    Raises:
        EndpointError: the network is of another shape.
    """

    def write(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    save_folder(write, origin, target)


def save_folder(write: Callable[[Path], None], origin: Path | None, target: Path) -> None:
    """Write a model in Hugging Face's format, with the embedded server's network where its origin has one.

    Whole or not at all.

    Args:
        write: Writes the weights, their configuration and the tokenizer into a folder.
        origin: The folder it was trained from; what lies beside its weights is copied. None: it came from the Hub.
        target: Where to; what is there is replaced.

    Raises:
        EndpointError: the network is of another shape.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{target.name}-*"):  # of a process that was killed here
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        made = Path(scratch) / "model"
        write(made)
        if origin is not None:
            for name in BESIDE:
                if (origin / name).is_file():
                    shutil.copy(origin / name, made / name)
            if all((origin / name).is_file() for name in NETWORK):
                write_network(origin, made)
        (made / WEIGHTS).chmod(0o644)  # safetensors writes them for their owner alone
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
