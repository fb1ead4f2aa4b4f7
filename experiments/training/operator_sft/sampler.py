"""Samples many completions at once: left-padded batches, one column of keys and values a step, thinking cut as served.

Thinking is closed as the embedded server closes it: where a completion opened it and has thought `thinking` tokens, the
next token is the closing mark, whatever the model would have said. Computing is in fp32, the cache in bf16
(torch's attention on a CPU is twice as fast in it as in fp16).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from experiments.reasoner.model import Block, Reasoner
from experiments.reasoner.tokenizer import CLOSE, END, PAD, THINK

SLOTS = 192
CACHE = torch.bfloat16
KEPT = 0.85
"""Ended sequences stay in the tensors while so many of them go on: leaving them out copies the cache."""


@dataclass(frozen=True)
class Request:
    """One completion to sample.

    Attributes:
        prompt: Token ids.
        most: The most tokens to generate, the closing mark of the thinking included.
        thinking: The most thinking tokens; None: no cap of its own.
    """

    prompt: tuple[int, ...]
    most: int
    thinking: int | None = None


@dataclass(frozen=True)
class Completion:
    """What was sampled.

    Attributes:
        ids: Token ids without the end mark.
        ended: Whether the model ended it; else it was cut off.
    """

    ids: tuple[int, ...]
    ended: bool


@dataclass(frozen=True)
class Marks:
    """Ids of the tokens that a sampler acts on."""

    think: int
    close: int
    end: int
    pad: int

    @classmethod
    def of(cls, vocabulary: dict[str, int]) -> Marks:
        """The marks of a tokenizer's vocabulary."""
        return cls(vocabulary[THINK], vocabulary[CLOSE], vocabulary[END], vocabulary[PAD])


def generate(
    model: Reasoner, marks: Marks, requests: Sequence[Request], temperature: float, seed: int, slots: int = SLOTS
) -> list[Completion]:
    """One completion a request, in their order. Requests of equal prompts should be neighbours: they are read once.

    Args:
        model: The weights.
        marks: Ids of the special tokens.
        requests: What to sample.
        temperature: Of the sampling; above 0.
        seed: Of the sampling.
        slots: Sequences at once.
    """
    generator = torch.Generator().manual_seed(seed)
    order = sorted(range(len(requests)), key=lambda i: (requests[i].most, len(requests[i].prompt), requests[i].prompt))
    found: dict[int, Completion] = {}
    with torch.inference_mode():
        for start in range(0, len(order), slots):
            chosen = order[start : start + slots]
            batch = _Batch(model, marks, [requests[i] for i in chosen])
            found.update(zip(chosen, batch.run(temperature, generator), strict=True))
    return [found[i] for i in range(len(requests))]


class _Batch:
    """Requests that begin together; those that end are left out of the tensors now and then."""

    def __init__(self, model: Reasoner, marks: Marks, requests: Sequence[Request]) -> None:
        self.model, self.marks = model, marks
        self.produced: list[list[int]] = [[] for _ in requests]
        self.ended = [False] * len(requests)
        self.rows = torch.arange(len(requests))
        self.alive = torch.ones(len(requests), dtype=torch.bool)
        self.most = torch.tensor([item.most for item in requests])
        self.limit = torch.tensor([1 << 30 if item.thinking is None else item.thinking for item in requests])
        self.inside = torch.zeros(len(requests), dtype=torch.bool)
        self.thought = torch.zeros(len(requests), dtype=torch.long)
        self._read(requests)

    def _read(self, requests: Sequence[Request]) -> None:
        """Fills the cache with the prompts, each distinct one read once."""
        shape = self.model.shape
        places: dict[tuple[int, ...], int] = {}
        which = torch.tensor([places.setdefault(item.prompt, len(places)) for item in requests])
        prompts = list(places)
        self.length = max(map(len, prompts))
        self.room = self.length + int(self.most.max())
        padding = torch.tensor([self.length - len(prompt) for prompt in prompts])
        ids = torch.full((len(prompts), self.length), self.marks.pad)
        for row, prompt in enumerate(prompts):
            ids[row, self.length - len(prompt) :] = torch.tensor(prompt)
        layers, size = shape.layers, (len(requests), shape.heads, self.room, shape.head)
        self.cache = [(torch.empty(size, dtype=CACHE), torch.empty(size, dtype=CACHE)) for _ in range(layers)]
        last = torch.empty(len(prompts), shape.width)
        causal = torch.ones(self.length, self.length, dtype=torch.bool).tril()
        for part in torch.arange(len(prompts)).split(32):
            positions = (torch.arange(self.length) - padding[part, None]).clamp(min=0)
            seen = (torch.arange(self.length) >= padding[part, None])[:, None, None, :]
            # A padded query sees itself, so that no softmax is empty; nobody reads what comes of it.
            mask = (causal & seen) | torch.eye(self.length, dtype=torch.bool)
            states, kept = self.model.hidden_states(ids[part], positions, mask)
            last[part] = states[:, -1]
            uses = ((which >= part[0]) & (which <= part[-1])).nonzero().flatten()
            for (keys, values), (k, v) in zip(self.cache, kept, strict=True):
                keys[uses, :, : self.length] = k.to(CACHE)[which[uses] - part[0]]
                values[uses, :, : self.length] = v.to(CACHE)[which[uses] - part[0]]
        self.padding = padding[which]
        self.states = last[which]

    def run(self, temperature: float, generator: torch.Generator) -> list[Completion]:
        """Samples to the end."""
        step = 0
        while bool(self.alive.any()):
            tokens = self._sample(temperature, generator)
            for row, token, alive in zip(self.rows.tolist(), tokens.tolist(), self.alive.tolist(), strict=True):
                if alive:
                    self.produced[row].append(token)
            step += 1
            self._follow(tokens, step)
            if int(self.alive.sum()) < KEPT * len(self.rows):
                tokens = self._drop(tokens)
            if len(self.rows):
                self._feed(tokens)
        return [
            Completion(tuple(ids[:-1] if ended else ids), ended)
            for ids, ended in zip(self.produced, self.ended, strict=True)
        ]

    def _sample(self, temperature: float, generator: torch.Generator) -> Tensor:
        sums = torch.softmax(self.model.logits(self.states) / temperature, -1).cumsum(-1)
        drawn = torch.rand(len(sums), 1, generator=generator) * sums[:, -1:]
        tokens = torch.searchsorted(sums, drawn, right=True).flatten().clamp(max=sums.shape[1] - 1)
        return torch.where(self.inside & (self.thought >= self.limit), self.marks.close, tokens)

    def _follow(self, tokens: Tensor, step: int) -> None:
        """Keeps count of the thinking, and of the rows that end here."""
        if step == 1:
            self.inside = tokens == self.marks.think
        else:
            self.inside = self.inside & (tokens != self.marks.close)
            self.thought += self.inside
        ended = self.alive & (tokens == self.marks.end)
        for row in self.rows[ended].tolist():
            self.ended[row] = True
        self.alive = self.alive & ~ended & (step < self.most)

    def _drop(self, tokens: Tensor) -> Tensor:
        """Leaves ended rows out of the tensors."""
        kept = self.alive.nonzero().flatten()
        self.rows, self.most, self.limit, self.alive = (
            each[kept] for each in (self.rows, self.most, self.limit, self.alive)
        )
        self.inside, self.thought, self.padding = (each[kept] for each in (self.inside, self.thought, self.padding))
        for place, pair in enumerate(self.cache):
            made = [torch.empty((len(kept), *each.shape[1:]), dtype=each.dtype) for each in pair]
            for new, old in zip(made, pair, strict=True):
                new[:, :, : self.length] = old[kept, :, : self.length]
            self.cache[place] = (made[0], made[1])
        return tokens[kept]

    def _feed(self, tokens: Tensor) -> None:
        """One token a row through the layers."""
        model, shape = self.model, self.model.shape
        column = self.length
        self.length += 1
        positions = column - self.padding
        cos, sin = model.cos[positions][:, None, None], model.sin[positions][:, None, None]
        seen = (torch.arange(self.length) >= self.padding[:, None])[:, None, None, :]
        mask = torch.zeros(seen.shape, dtype=CACHE).masked_fill_(~seen, float("-inf"))
        x = F.embedding(tokens, model.embedding)[:, None]
        for block, (keys, values) in zip(model.blocks, self.cache, strict=True):
            assert isinstance(block, Block)
            q, k, v = block.project(x, cos, sin)
            keys[:, :, column : column + 1], values[:, :, column : column + 1] = k, v
            mixed = F.scaled_dot_product_attention(
                q.to(CACHE), keys[:, :, : self.length], values[:, :, : self.length], attn_mask=mask
            )
            x = block.finish(x, mixed.float())
        self.states = F.rms_norm(x[:, 0], (shape.width,), model.norm, shape.epsilon)
