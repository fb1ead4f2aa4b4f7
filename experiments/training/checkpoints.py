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

import numpy as np

from pdr_dspy.embedded.model import NETWORK
from pdr_dspy.errors import EndpointError

WEIGHTS = "model.safetensors"
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


def write_network(origin: Path, target: Path) -> None:
    """Put the embedded server's network beside a model of the same shape.

    Both files of the target then hold the same numbers, rounded to fp16 once.

    Args:
        origin: A folder that the embedded server loads.
        target: A folder with `model.safetensors` of the same names and shapes.

    Raises:
        EndpointError: the shapes differ.
    """
    import openvino
    from openvino import opset13 as opset
    from safetensors.numpy import load_file, save_file

    old, new = load_file(origin / WEIGHTS), load_file(target / WEIGHTS)
    tied = {name: value for name, value in new.items() if name in old}
    if {k: v.shape for k, v in old.items()} != {k: v.shape for k, v in tied.items()}:
        mend = "Convert it with experiments.reasoner.export"
        raise EndpointError("weights", f"{target} has another shape than {origin}", mend)
    rounded = {name: value.astype(np.float16) for name, value in tied.items()}
    network = openvino.Core().read_model(origin / NETWORK[0])
    left = dict(old)
    for op in network.get_ops():
        if op.get_type_name() != "Constant" or op.get_element_type() != openvino.Type.f16:
            continue
        data = op.get_data()
        name = next((n for n, v in left.items() if np.array_equal(v.ravel(), data.ravel())), None)
        if name is None:
            continue
        del left[name]
        constant = opset.constant(rounded[name].reshape(data.shape), dtype=np.float16)
        constant.set_friendly_name(op.get_friendly_name())
        for use in op.output(0).get_target_inputs():
            use.replace_source_output(constant.output(0))
    if left:
        raise EndpointError("weights", f"{origin} has a network without {sorted(left)[0]}", "Use the shipped weights")
    save_file(rounded, target / WEIGHTS, metadata={"format": "pt"})
    with tempfile.TemporaryDirectory() as scratch:  # the network read may be the one that is replaced
        openvino.save_model(network, Path(scratch) / NETWORK[0], compress_to_fp16=False)
        for file in NETWORK:
            shutil.copy(Path(scratch) / file, target / file)
