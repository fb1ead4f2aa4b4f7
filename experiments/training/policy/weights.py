"""From Hugging Face's files and names to the reasoner in plain torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from experiments.reasoner.model import Reasoner, Shape

_HEAD = "lm_head.weight"
_EMBEDDING = "model.embed_tokens.weight"


def from_hf(weights: Mapping[str, Tensor], shape: Shape) -> Reasoner:
    """The model of weights under Hugging Face's names; the inverse of `experiments.reasoner.model.to_hf`.

    Args:
        weights: As `LlamaForCausalLM.state_dict()` has them; the tied `lm_head.weight` may be there or not.
        shape: Its sizes.

    Raises:
        ValueError: A weight is missing, of another size, or unknown.
    """
    model = Reasoner(shape)
    load_hf(model, weights)
    return model.eval()


@torch.no_grad()
def load_hf(model: Reasoner, weights: Mapping[str, Tensor]) -> None:
    """Put weights under Hugging Face's names into a model, in its own precision and on its own device.

    Raises:
        ValueError: As `from_hf`; the model is then as it was.
    """
    left = dict(weights)
    head = left.pop(_HEAD, None)
    if head is not None and not torch.equal(head, left.get(_EMBEDDING, head.new_empty(0))):
        raise ValueError(f"{_HEAD} differs from {_EMBEDDING}: the reasoner has one embedding, so tie them")
    own: list[tuple[Tensor, Tensor]] = []
    for target, names in _places(model):
        missing = [name for name in names if name not in left]
        if missing:
            raise ValueError(f"the weights lack {missing[0]}")
        joined = torch.cat([left.pop(name).to(target) for name in names])
        if joined.shape != target.shape:
            raise ValueError(f"{' and '.join(names)}: {tuple(joined.shape)} where {tuple(target.shape)} is needed")
        own.append((target, joined))
    if left:
        raise ValueError(f"the reasoner has no place for {min(left)}")
    for target, joined in own:
        target.copy_(joined)


def reasoner_of(folder: Path) -> Reasoner:
    """The model of a folder as Hugging Face lays it out (`config.json`, `model.safetensors`), in fp32.

    Raises:
        ValueError: The configuration is not that of such a model, or the weights don't fit it.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return from_hf(load_file(str(folder / "model.safetensors")), shape_of(config))


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The sizes that a Hugging Face configuration states.

    Raises:
        ValueError: It describes what the reasoner can't be (grouped heads, scaled positions, untied embeddings).
    """
    if not isinstance(config, Mapping):
        raise ValueError("config.json is no object")
    rope = config.get("rope_parameters") or {"rope_theta": config.get("rope_theta", Shape.theta)}
    try:
        shape = Shape(
            vocabulary=int(config["vocab_size"]),
            width=int(config["hidden_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            hidden=int(config["intermediate_size"]),
            context=int(config["max_position_embeddings"]),
            theta=float(rope["rope_theta"]),
            epsilon=float(config["rms_norm_eps"]),
        )
    except KeyError as missing:
        raise ValueError(f"config.json has no {missing.args[0]}") from missing
    except (TypeError, OverflowError) as error:
        raise ValueError(f"config.json has a size that is no number ({error})") from None
    # What the reasoner is, where the configuration may say otherwise.
    fixed = {
        "model_type": "llama",
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
    }
    for name, value in fixed.items():
        if config.get(name, value) != value:
            raise ValueError(f"config.json: {name} is {config[name]!r}, the reasoner needs {value!r}")
    if rope.get("rope_type", "default") != "default":
        raise ValueError(f"config.json: rope_type is {rope['rope_type']!r}, the reasoner needs 'default'")
    return shape


def _places(model: Reasoner) -> list[tuple[Tensor, tuple[str, ...]]]:
    """Each of the model's tensors, and the names whose weights make it, one below the other."""
    places: list[tuple[Tensor, tuple[str, ...]]] = [
        (model.embedding, (_EMBEDDING,)),
        (model.norm, ("model.norm.weight",)),
    ]
    for index, block in enumerate(model.blocks):
        parts = (
            (block.norm1, ("input_layernorm",)),
            (block.norm2, ("post_attention_layernorm",)),
            (block.qkv, ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")),
            (block.out, ("self_attn.o_proj",)),
            (block.gate_up, ("mlp.gate_proj", "mlp.up_proj")),
            (block.down, ("mlp.down_proj",)),
        )
        places += [(one, tuple(f"model.layers.{index}.{name}.weight" for name in names)) for one, names in parts]
    return places
