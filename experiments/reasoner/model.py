"""A small Llama in plain torch: the trainer's and the offline sampler's model, convertible to Hugging Face's weights.

Query, key and value (and gate and up) are one matrix each, for speed; `to_hf` splits them.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Cache = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Shape:
    """Sizes of the model."""

    vocabulary: int
    width: int = 128
    layers: int = 4
    heads: int = 4
    hidden: int = 352
    context: int = 2048
    theta: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head(self) -> int:
        """Width of an attention head."""
        return self.width // self.heads

    def hf_config(self, pad: int, end: int) -> dict[str, object]:
        """The same shape as a Hugging Face Llama configuration."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocabulary,
            "hidden_size": self.width,
            "intermediate_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,
            "head_dim": self.head,
            "max_position_embeddings": self.context,
            "rms_norm_eps": self.epsilon,
            "rope_theta": self.theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.theta},
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": end,
            "pad_token_id": pad,
            "dtype": "float32",
        }


class Block(nn.Module):
    """One decoder layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width, hidden = shape.width, shape.hidden
        self.norm1 = nn.Parameter(torch.ones(width))
        self.norm2 = nn.Parameter(torch.ones(width))
        self.qkv = nn.Parameter(torch.randn(3 * width, width) / math.sqrt(width))
        self.out = nn.Parameter(torch.randn(width, width) / math.sqrt(width) * 0.3)
        self.gate_up = nn.Parameter(torch.randn(2 * hidden, width) / math.sqrt(width))
        self.down = nn.Parameter(torch.randn(width, hidden) / math.sqrt(hidden) * 0.3)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The layer's output and its keys and values (the past's included)."""
        q, k, v = self.project(x, cos, sin)
        if past is not None:
            k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
        if mask is None and torch.is_grad_enabled():
            mixed = causal_attention(q, k, v)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return self.finish(x, mixed), (k, v)

    def project(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of the attention, (rows, heads, length, head) each, the first two rotated."""
        rows, length, width = x.shape
        shape = self.shape
        normed = F.rms_norm(x, (width,), self.norm1, shape.epsilon)
        q, k, v = F.linear(normed, self.qkv).view(rows, length, 3, shape.heads, shape.head).permute(2, 0, 3, 1, 4)
        return _rotate(q, cos, sin), _rotate(k, cos, sin), v

    def finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        """The layer's output, from its input and what the attention mixed, (rows, heads, length, head)."""
        rows, length, width = x.shape
        x = x + F.linear(mixed.transpose(1, 2).reshape(rows, length, width), self.out)
        gate, up = F.linear(F.rms_norm(x, (width,), self.norm2, self.shape.epsilon), self.gate_up).chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.down)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    low, high = x.chunk(2, -1)
    return torch.cat((low * cos - high * sin, high * cos + low * sin), -1)


QUERIES = 160


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention, `QUERIES` queries at a time, each with the keys up to its end.

    For training on a CPU: its gradient takes a fifth of the time of torch's fused attention there.

    Args:
        q, k, v: (rows, heads, length, head).
    """
    rows, heads, length, head = q.shape
    kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else q.dtype
    q, k, v = ((each.reshape(rows * heads, length, head)).to(kind) for each in (q / math.sqrt(head), k, v))
    hidden = torch.full((QUERIES, QUERIES), float("-inf"), dtype=kind).triu(1)
    found = []
    for start in range(0, length, QUERIES):
        end = min(start + QUERIES, length)
        mask = F.pad(hidden[: end - start, : end - start], (start, 0))
        scores = torch.baddbmm(mask, q[:, start:end], k[:, :end].transpose(1, 2))
        found.append(torch.bmm(scores.softmax(-1, dtype=kind), v[:, :end]))
    return torch.cat(found, 1).view(rows, heads, length, head)


class Reasoner(nn.Module):
    """The language model; input and output embeddings are tied."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.randn(shape.vocabulary, shape.width) * 0.05)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.Parameter(torch.ones(shape.width))
        frequency = shape.theta ** (-torch.arange(0, shape.head, 2).float() / shape.head)
        angles = torch.arange(shape.context).float()[:, None] * frequency
        self.cos: Tensor
        self.sin: Tensor
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def hidden_states(
        self, ids: Tensor, positions: Tensor | None = None, mask: Tensor | None = None, past: Cache | None = None
    ) -> tuple[Tensor, Cache]:
        """Final hidden states. `positions` and `mask` are for cached decoding; without them a causal prefix."""
        dtype = self.embedding.dtype
        if positions is None:
            cos, sin = self.cos[: ids.shape[1]].to(dtype), self.sin[: ids.shape[1]].to(dtype)
        else:
            cos, sin = self.cos[positions].to(dtype).unsqueeze(1), self.sin[positions].to(dtype).unsqueeze(1)
        x = F.embedding(ids, self.embedding)
        cache: Cache = []
        for index, block in enumerate(self.blocks):
            x, kept = block(x, cos, sin, mask, None if past is None else past[index])
            cache.append(kept)
        return F.rms_norm(x, (self.shape.width,), self.norm, self.shape.epsilon), cache

    def logits(self, states: Tensor) -> Tensor:
        """Scores of the next token."""
        return F.linear(states, self.embedding)


def fourier_embedding(tokens: list[str], shape: Shape, generator: torch.Generator) -> Tensor:
    """A first embedding in which numbers and labels share their meaning across their several tokens.

    Numbers are waves of n and of log n (so that sums and products are near-linear to learn); a label's tokens
    (`A:`, `A: make`, ...) share one vector. Everything else is random.
    """
    width = shape.width
    table = torch.randn(len(tokens), width, generator=generator) * 0.05
    letters = torch.randn(26, width, generator=generator) * 0.05
    half = width // 4
    linear = 2 * math.pi / torch.tensor([100.0 / (1 + i * 49 / (half - 1)) for i in range(half)])
    logarithmic = 2 * math.pi / torch.tensor([9.2 / (1 + i * 24 / (half - 1)) for i in range(half)])
    for index, token in enumerate(tokens):
        if re.fullmatch(r"Ġ?\d{1,2}", token):
            n = int(token.removeprefix("Ġ"))
            waves = torch.cat((linear * n, logarithmic * math.log(n + 0.5)))
            table[index] = 0.3 * table[index] + 0.05 * torch.cat((waves.sin(), waves.cos()))
        elif re.fullmatch(r"[\n ]?[A-H](:( make)?)?", token):
            table[index] = 0.5 * table[index] + letters[ord(token.strip()[0]) - ord("A")]
    return table


def to_hf(model: Reasoner) -> dict[str, Tensor]:
    """The weights under Hugging Face's names, fp32."""
    shape = model.shape
    found: dict[str, Tensor] = {"model.embed_tokens.weight": model.embedding, "model.norm.weight": model.norm}
    for index, block in enumerate(model.blocks):
        assert isinstance(block, Block)
        q, k, v = block.qkv.chunk(3)
        gate, up = block.gate_up.chunk(2)
        found |= {
            f"model.layers.{index}.{name}.weight": weight
            for name, weight in {
                "input_layernorm": block.norm1,
                "post_attention_layernorm": block.norm2,
                "self_attn.q_proj": q,
                "self_attn.k_proj": k,
                "self_attn.v_proj": v,
                "self_attn.o_proj": block.out,
                "mlp.gate_proj": gate,
                "mlp.up_proj": up,
                "mlp.down_proj": block.down,
            }.items()
        }
    assert shape.layers == len(model.blocks)
    return {name: weight.detach().float().contiguous().clone() for name, weight in found.items()}


def shape_record(shape: Shape) -> dict[str, object]:
    """The shape as plain values, for a checkpoint."""
    return asdict(shape)
