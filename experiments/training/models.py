"""The model that is trained, and its tokenizer; what can't be trained is told before anything is begun."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from experiments.configuration import ConfigError
from experiments.training.config import Config
from experiments.training.policy.weights import shape_of

_HUB = re.compile(r"[\w.\-]+(/[\w.\-]+)?")


def load(config: Config, name: str) -> tuple[Any, Any]:
    """(The model, its tokenizer).

    Weights are kept in float32 unless they are sharded (FSDP keeps its own copy in float32): in bfloat16 small steps
    would be rounded away. Computing follows the configuration's `dtype`.

    Args:
        config: The configuration.
        name: A folder, or a name on the Hub.

    Raises:
        ConfigError: there is no such model, or it can't be trained here.
    """
    folder = Path(name)
    if not folder.is_dir() and (not _HUB.fullmatch(name) or name.startswith(".")):
        raise ConfigError("--model", f"there is no folder {name}", "Name a folder, or a model on the Hub (org/name)")
    mend = "Name a folder with a model in Hugging Face's format, its tokenizer and its chat template"
    try:
        if config.sampler.kind == "torch":
            shape_of(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        sharded = os.environ.get("ACCELERATE_USE_FSDP") == "true"
        tokenizer = AutoTokenizer.from_pretrained(name)
        if tokenizer.chat_template is None:
            raise ValueError("it has no chat template")
        model = AutoModelForCausalLM.from_pretrained(
            name, dtype=getattr(torch, config.dtype) if sharded else torch.float32
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RecursionError) as error:
        said = " ".join(str(error).split())[:300]
        raise ConfigError("--model", f"{name} can't be trained here ({said})", mend) from None
    return model, tokenizer
