"""Turns a checkpoint into what the library ships: Hugging Face weights and tokenizer, and the OpenVINO model.

    python -m experiments.reasoner.export --folder runs/reasoner --to pdr_dspy/embedded/weights

A model of the shipped one's shape gets its network with other numbers; another shape is converted, which needs optimum
(`requirements.txt`). Afterwards greedy decoding by transformers and by OpenVINO GenAI is compared, token by token; it
fails if they differ anywhere but at a tie.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import openvino
import torch
from openvino import opset13 as opset
from safetensors.torch import save_file
from tokenizers import Tokenizer

from experiments.reasoner.model import Reasoner, Shape, to_hf
from experiments.reasoner.network import SHIPPED, same_shape, write_network
from experiments.reasoner.tokenizer import END, PAD, SPECIAL
from pdr_dspy.embedded.model import CARD, NETWORK
from pdr_dspy.errors import InputError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
ASKED = {"format": "markers", "prompts": "reasoner", "switchable": True}
"""How it wants to be asked: the format and the prompts that it is trained in; it can be told not to think."""


def load(checkpoint: Path) -> Reasoner:
    """The model of a checkpoint."""
    saved = torch.load(checkpoint, weights_only=True)
    model = Reasoner(Shape(**saved["shape"]))
    model.load_state_dict(saved["model"])
    return model.eval()


def write_hf(model: Reasoner, origin: Path, target: Path) -> None:
    """Writes the Hugging Face layout: weights, configuration, tokenizer, chat template.

    Args:
        model: The model.
        origin: A folder with its tokenizer.
        target: Where to.
    """
    tokenizer = Tokenizer.from_file(str(origin / "tokenizer.json"))
    pad, end = SPECIAL.index(PAD), SPECIAL.index(END)  # special tokens come first, in this order
    if (tokenizer.token_to_id(PAD), tokenizer.token_to_id(END)) != (pad, end):
        raise ValueError("the tokenizer's special tokens are not where they should be")
    target.mkdir(parents=True, exist_ok=True)
    # Rounded to fp16 once, so that both files hold the very same numbers in half the bytes; computing stays in fp32.
    rounded = {name: weight.half() for name, weight in to_hf(model).items()}
    save_file(rounded, str(target / "model.safetensors"), metadata={"format": "pt"})
    (target / "model.safetensors").chmod(0o644)
    _write(target / "config.json", model.shape.hf_config(pad, end))
    defaults = {"do_sample": True, "temperature": 0.6, "top_p": 1.0, "top_k": 0}
    _write(target / "generation_config.json", {**defaults, "eos_token_id": end, "pad_token_id": pad})
    for name in TOKENIZER_FILES:
        shutil.copy(origin / name, target / name)


def write_openvino(target: Path) -> None:
    """Converts the Hugging Face model in `target` and puts the OpenVINO model beside it."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "optimum.commands.optimum_cli", "export", "openvino", "-m", str(target)]
        command += ["--task", "text-generation-with-past", "--weight-format", "fp16", "--disable-convert-tokenizer"]
        command.append(scratch)
        subprocess.run(command, check=True)
        for name in NETWORK:
            shutil.copy(Path(scratch) / name, target / name)
    _keep_angles(target)


def _keep_angles(target: Path) -> None:
    """Puts the rotary frequencies back into the OpenVINO model in fp32.

    The converter rounds every constant to fp16. Of a frequency that error is multiplied by the position: at 200 tokens
    logits are off by 2, and the two engines no longer are the same model.

    Raises:
        ValueError: there is not exactly one such constant, or it is not what it should be.
    """
    shape = json.loads((target / "config.json").read_text(encoding="utf-8"))
    exponents = np.arange(0, shape["head_dim"], 2, dtype=np.float64) / shape["head_dim"]
    exact = (shape["rope_theta"] ** -exponents).astype(np.float32)
    model = openvino.Core().read_model(target / "openvino_model.xml")
    rounded = [
        op
        for op in model.get_ops()
        if op.get_type_name() == "Constant"
        and "rotary_emb" in op.get_friendly_name()
        and op.get_element_type() == openvino.Type.f16
    ]
    if len(rounded) != 1 or not np.allclose(rounded[0].get_data().ravel(), exact, rtol=1e-3):
        raise ValueError("the converted model's rotary frequencies are not where they were")
    constant = opset.constant(exact.reshape(rounded[0].get_output_shape(0)), dtype=np.float32)
    for use in rounded[0].output(0).get_target_inputs():
        for input_ in use.get_node().output(0).get_target_inputs():
            input_.replace_source_output(constant.output(0))
    with tempfile.TemporaryDirectory() as scratch:
        openvino.save_model(model, Path(scratch) / "openvino_model.xml", compress_to_fp16=False)
        for name in NETWORK:
            shutil.copy(Path(scratch) / name, target / name)


def _write(path: Path, values: dict[str, object]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def write_all(model: Reasoner, origin: Path, target: Path) -> None:
    """Writes everything that the library ships of a model; how it wants to be asked (`pdr.json`) comes last.

    Args:
        model: The model.
        origin: A folder with its tokenizer.
        target: Where to.

    Raises:
        InputError: the model is of another shape than the shipped one, and nothing here can convert it.
    """
    write_hf(model, origin, target)
    if same_shape(SHIPPED, target):
        write_network(SHIPPED, target)
    elif find_spec("optimum") is None:
        mend = (
            "In an environment with experiments/reasoner/requirements.txt, run: "
            f"python -m experiments.reasoner.export --folder {origin} --to {target}; then go on here"
        )
        raise InputError(
            "environment", "the model has another shape than the shipped one, and no optimum is here", mend
        )
    else:
        write_openvino(target)
    _write(target / CARD, ASKED)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="the training's folder")
    parser.add_argument("--to", type=Path, default=SHIPPED, help="what the library ships (default: %(default)s)")
    options = parser.parse_args()
    write_all(load(options.folder / "checkpoint.pt"), options.folder, options.to)
    from experiments.reasoner.agree import compare  # needs what was just written, and transformers

    print(compare(options.to))


if __name__ == "__main__":
    main()
