"""From a Hugging Face folder to the trainer's model, and back by way of the checkpoint that the export reads."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file

from experiments.reasoner.export import TOKENIZER_FILES, write_hf
from experiments.reasoner.model import Block, Reasoner, Shape


def reasoner_of(folder: Path) -> Reasoner:
    """The model of a Hugging Face folder, in fp32."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = Shape(
        vocabulary=config["vocab_size"],
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        context=config["max_position_embeddings"],
        theta=config["rope_theta"],
        epsilon=config["rms_norm_eps"],
    )
    found = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    model = Reasoner(shape)
    model.embedding.data = found["model.embed_tokens.weight"]
    model.norm.data = found["model.norm.weight"]
    for index, block in enumerate(model.blocks):
        assert isinstance(block, Block)

        def of(*names: str, index: int = index) -> torch.Tensor:
            return torch.cat([found[f"model.layers.{index}.{name}.weight"] for name in names])

        block.norm1.data, block.norm2.data = of("input_layernorm"), of("post_attention_layernorm")
        block.qkv.data = of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        block.out.data, block.down.data = of("self_attn.o_proj"), of("mlp.down_proj")
        block.gate_up.data = of("mlp.gate_proj", "mlp.up_proj")
    return model


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
