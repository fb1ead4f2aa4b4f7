"""What the server must know of a model's directory before it serves it: context, end tokens, defaults, revision.

Reads only the small JSON files and hashes the large ones; loads nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import EndpointError
from .jobs import KV_BLOCK_TOKENS

NETWORK = ("openvino_model.xml", "openvino_model.bin")
TOKENIZER = "tokenizer.json"
CONFIG = "config.json"
GENERATION = "generation_config.json"
CARD = "pdr.json"
_HASHED = (*NETWORK, TOKENIZER, CONFIG, GENERATION, "tokenizer_config.json", "chat_template.jinja")
_LARGEST = 1e9  # of a number that says how to sample
_SAMPLING_DEFAULTS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A servable model.

    Attributes:
        directory: Where it lies.
        context: Most tokens of prompt and completion together.
        end_ids: Tokens that end a completion.
        defaults: Sampling parameters for requests that don't set them (from `generation_config.json`, as vLLM does).
        revision: Hash over everything that decides what the model answers.
        kv_bytes_per_token: Bytes of f32 keys and values for one token of context.
        card: How it wants to be asked (from `pdr.json`; see `pdr_dspy.endpoint.recommended`).
    """

    directory: Path
    context: int
    end_ids: frozenset[int]
    defaults: Mapping[str, float]
    revision: str
    kv_bytes_per_token: int
    card: Mapping[str, Any] = field(default_factory=dict)

    def kv_blocks(self, megabytes: int) -> int:
        """Blocks of KV cache in this much memory, at least one full context.

        Raises:
            EndpointError: Not even one full context fits.
        """
        blocks = megabytes * 2**20 // (self.kv_bytes_per_token * KV_BLOCK_TOKENS)
        needed = -(-self.context // KV_BLOCK_TOKENS) + 1
        if blocks < needed:
            least = needed * self.kv_bytes_per_token * KV_BLOCK_TOKENS // 2**20 + 1
            raise EndpointError(
                "kv-cache-mb", f"{megabytes} MB hold less than one context of {self.context} tokens", f"Use >= {least}"
            )
        return blocks


def read_model(directory: Path, max_model_len: int | None = None, network: Sequence[str] = NETWORK) -> ModelFiles:
    """Read a model's directory.

    Args:
        directory: Hugging Face layout (config, tokenizer, chat template) with OpenVINO's network beside it.
        max_model_len: A shorter context than the model's own, in tokens.
        network: The files of the network that must be there.

    Raises:
        EndpointError: A file is missing or doesn't say what is needed.
    """
    for name in (*network, TOKENIZER, CONFIG):
        if not (directory / name).is_file():
            raise EndpointError("weights", f"{directory} has no {name}", "Name a directory with an exported model")
    config = read_json(directory / CONFIG)
    generation_path = directory / GENERATION
    generation = read_json(generation_path) if generation_path.is_file() else {}
    try:
        context = int(config["max_position_embeddings"])
        heads = int(config["num_attention_heads"])
        kv_heads = int(config.get("num_key_value_heads") or heads)
        head_dim = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
        layers = int(config["num_hidden_layers"])
        if min(context, heads, kv_heads, head_dim, layers) < 1:
            raise ValueError("sizes above 0")
    except (KeyError, TypeError, ValueError, OverflowError, ArithmeticError) as problem:
        raise EndpointError(
            "weights", f"{directory / CONFIG} lacks {problem}", "Export a Llama-like model"
        ) from problem
    if max_model_len is not None and not 1 < max_model_len <= context:
        raise EndpointError(
            "max-model-len", f"{max_model_len} is not in 2..{context}", "Leave it out for the model's own"
        )
    ends = generation.get("eos_token_id", config.get("eos_token_id"))
    ids: list[Any] = ends if isinstance(ends, list) else [ends]
    if not ids or not all(isinstance(token, int) and not isinstance(token, bool) and token >= 0 for token in ids):
        raise EndpointError("weights", f"{directory} names no eos_token_id", f"Set it in {GENERATION}")
    return ModelFiles(
        directory=directory,
        context=max_model_len or context,
        end_ids=frozenset(ids),
        defaults={k: _number(generation, k) for k in _SAMPLING_DEFAULTS if generation.get(k) is not None},
        revision=_revision(directory),
        kv_bytes_per_token=2 * layers * kv_heads * head_dim * 4,
        card=read_json(directory / CARD) if (directory / CARD).is_file() else {},
    )


def _number(generation: Mapping[str, Any], name: str) -> float:
    value = generation[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        raise EndpointError("weights", f"{GENERATION}: {name} is {value!r:.40}, no number", "Export the model again")
    return float(value)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of a model.

    Raises:
        EndpointError: there is none in it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as problem:
        why = "it is nested too deeply" if isinstance(problem, RecursionError) else problem
        raise EndpointError("weights", f"{path} is no JSON: {why}", "Export the model again") from problem
    if not isinstance(data, dict):
        raise EndpointError("weights", f"{path} is no JSON object", "Export the model again")
    return data


def _revision(directory: Path) -> str:
    digest = hashlib.sha256()
    for name in _HASHED:
        path = directory / name
        if path.is_file():
            digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{digest.hexdigest()[:32]}"
