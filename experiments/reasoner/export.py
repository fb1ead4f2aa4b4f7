"""Turns a checkpoint into what the library ships: Hugging Face weights and tokenizer, and the OpenVINO model.

    python -m experiments.reasoner.export --folder runs/reasoner --to pdr_dspy/embedded/weights

Afterwards it compares greedy decoding by transformers and by OpenVINO GenAI, token by token, and fails if they differ
anywhere but at a tie.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import openvino
import torch
from openvino import opset13 as opset
from safetensors.torch import save_file
from tokenizers import Tokenizer

from experiments.reasoner.model import Reasoner, Shape, to_hf
from experiments.reasoner.tokenizer import END, PAD, SPECIAL

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
OPENVINO_FILES = ("openvino_model.xml", "openvino_model.bin")


def load(checkpoint: Path) -> Reasoner:
    """The model of a checkpoint."""
    saved = torch.load(checkpoint, weights_only=False)
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
        for name in OPENVINO_FILES:
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
        for name in OPENVINO_FILES:
            shutil.copy(Path(scratch) / name, target / name)


def _write(path: Path, values: dict[str, object]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--to", type=Path, default=Path("pdr_dspy/embedded/weights"))
    options = parser.parse_args()
    write_hf(load(options.folder / "checkpoint.pt"), options.folder, options.to)
    write_openvino(options.to)
    from experiments.reasoner.agree import compare  # needs what was just written, and transformers

    print(compare(options.to))


if __name__ == "__main__":
    main()
