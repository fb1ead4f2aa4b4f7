"""The reasoner's pass over many sequences at once, with a cache of keys and values that is never gathered or moved.

What a step of decoding reads from memory is mostly this cache, so three things keep it small: a prompt of several
sequences is kept and read once for all of them (`Prefix`), sequences of like age lie side by side and are read together
only as far as the longest of them reaches, and keys lie with their columns last, as the product with one query reads
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from experiments.reasoner.model import Block, Reasoner

_GROWTH = 512  # columns
_TOGETHER = 32  # rows read in one product
_STAGGER = (
    16  # unused columns: at a distance of a power of two, a query's keys would displace each other in the CPU's cache
)
_ALIKE = 32  # columns by which rows read together may differ

Attention = Callable[[Tensor, Tensor, Tensor, int], Tensor]


@dataclass(frozen=True, eq=False)
class Prefix:
    """A prompt's keys (heads, head, length) and values (heads, length, head), for each layer."""

    length: int
    layers: tuple[tuple[Tensor, Tensor], ...]


@dataclass(eq=False)
class Row:
    """Where a sequence's keys and values are.

    Attributes:
        place: Its place in the cache.
        own: Columns of its place that stand.
        prefix: What comes before them, or None.
    """

    place: int
    own: int = 0
    prefix: Prefix | None = None

    @property
    def length(self) -> int:
        """Tokens of the sequence that stand."""
        return self.own + (self.prefix.length if self.prefix else 0)


class Decoder:
    """A model with the cache of its sequences.

    Args:
        model: The model.
        places: Places in the cache. Memory is taken as places are used.
    """

    def __init__(self, model: Reasoner, places: int) -> None:
        self._model = model
        self._places = places
        self._columns = 0
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._reach(_GROWTH)

    def prefill(self, rows: Sequence[Row], prompts: Sequence[Sequence[int]]) -> None:
        """Let empty rows begin with these tokens (at least one each), all in one pass."""
        model, longest = self._model, max(len(prompt) for prompt in prompts)
        self._reach(longest)
        # What fills up a prompt is overwritten by what follows it.
        filled = [[*prompt, *[0] * (longest - len(prompt))] for prompt in prompts]
        ids = torch.tensor(filled, device=model.embedding.device)
        _, cache = model.hidden_states(ids)
        for layer, (keys, values) in enumerate(cache):
            for row, k, v in zip(rows, keys, values, strict=True):
                self._keys[layer][row.place, :, :, :longest] = k.transpose(1, 2)
                self._values[layer][row.place, :, :longest] = v
        for row, prompt in zip(rows, prompts, strict=True):
            row.own = len(prompt)

    def prefix(self, row: Row, length: int) -> Prefix:
        """A copy of a row's first columns, to be read by others."""
        pairs = zip(self._keys, self._values, strict=True)
        layers = tuple((k[row.place, :, :, :length].clone(), v[row.place, :, :length].clone()) for k, v in pairs)
        return Prefix(length, layers)

    def advance(self, rows: Sequence[Row], tokens: Sequence[int]) -> Tensor:
        """Pass one more token of each row through the model.

        Args:
            rows: In ascending order of their places.
            tokens: One for each.

        Returns:
            The final hidden states, (rows, width).
        """
        model, device = self._model, self._model.embedding.device
        self._reach(1 + max(row.own for row in rows))
        attend = self._attention(rows)
        positions = torch.tensor([row.length for row in rows], device=device)
        dtype = model.embedding.dtype
        cos, sin = (table[positions].to(dtype)[:, None, None] for table in (model.cos, model.sin))
        places = torch.tensor([row.place for row in rows], device=device)
        columns = torch.tensor([row.own for row in rows], device=device)
        x = F.embedding(torch.tensor(tokens, device=device)[:, None], model.embedding)
        for layer, block in enumerate(model.blocks):
            assert isinstance(block, Block)
            q, k, v = block.project(x, cos, sin)
            self._keys[layer][places, :, :, columns] = k[:, :, 0]
            self._values[layer][places, :, columns] = v[:, :, 0]
            x = block.finish(x, attend(q, self._keys[layer], self._values[layer], layer))
        for row in rows:
            row.own += 1
        return F.rms_norm(x[:, 0], (model.shape.width,), model.norm, model.shape.epsilon)

    def _attention(self, rows: Sequence[Row]) -> Attention:
        """Attention of one token of each row, whose own key and value have been written."""
        device = self._model.embedding.device
        runs = list(_runs(rows))
        groups: dict[Prefix, list[int]] = {}
        for index, row in enumerate(rows):
            if row.prefix is not None:
                groups.setdefault(row.prefix, []).append(index)
        shared = [(prefix, _picked(members, device)) for prefix, members in groups.items()]
        before = max((prefix.length for prefix in groups), default=0)
        most = max(row.own for row in rows) + 1
        ends = torch.tensor([row.own for row in rows], device=device)
        beyond = torch.arange(most, device=device) > ends[:, None, None, None]
        mask = torch.where(beyond, -torch.inf, 0.0).to(self._model.embedding.dtype)
        scale = 1 / math.sqrt(self._model.shape.head)

        def attend(q: Tensor, keys: Tensor, values: Tensor, layer: int) -> Tensor:
            q = q * scale
            scores = q.new_full((*q.shape[:3], before + most), -torch.inf)
            own = scores[..., before:]
            for mine, theirs, reach in runs:
                own[mine, ..., :reach] = torch.matmul(q[mine], keys[theirs, :, :, :reach])
            own += mask
            for prefix, members in shared:
                found = torch.matmul(q[members, :, 0].transpose(0, 1), prefix.layers[layer][0])
                scores[members, :, 0, : prefix.length] = found.transpose(0, 1)
            shares = scores.softmax(-1)
            mixed = torch.empty_like(q)
            for mine, theirs, reach in runs:
                mixed[mine] = torch.matmul(shares[mine, ..., before : before + reach], values[theirs, :, :reach])
            for prefix, members in shared:
                share = shares[members, :, 0, : prefix.length].transpose(0, 1)
                mixed[members, :, 0] += torch.matmul(share, prefix.layers[layer][1]).transpose(0, 1)
            return mixed

        return attend

    def _reach(self, length: int) -> None:
        """Have at least so many columns."""
        if length <= self._columns:
            return
        shape, before = self._model.shape, self._columns
        self._columns = -(-length // _GROWTH) * _GROWTH
        sizes = (self._places, shape.heads, shape.head, self._columns)
        for layer in range(shape.layers):  # one after the other: never the whole cache twice
            keys = self._zeros((*sizes[:3], sizes[3] + _STAGGER))
            values = self._zeros((*sizes[:2], sizes[3], sizes[2]))
            if before:
                keys[..., :before] = self._keys[layer][..., :before]
                values[:, :, :before] = self._values[layer]
                self._keys[layer], self._values[layer] = keys, values
            else:
                self._keys.append(keys)
                self._values.append(values)

    def _zeros(self, sizes: tuple[int, ...]) -> Tensor:
        """Zeros, since what is masked counts for nothing only if it is a number."""
        like = self._model.embedding
        if like.device.type == "cpu" and like.dtype == torch.float32:
            return torch.from_numpy(np.zeros(sizes, np.float32))  # unlike torch's, no memory until it is written
        return like.new_zeros(sizes)


def _picked(members: list[int], device: torch.device) -> slice | Tensor:
    """Ascending indices, as a slice (which copies nothing) where there is no gap between them."""
    if members[-1] - members[0] + 1 == len(members):
        return slice(members[0], members[-1] + 1)
    return torch.tensor(members, device=device)


def _runs(rows: Sequence[Row]) -> Iterator[tuple[slice, slice, int]]:
    """Rows of like age side by side: which rows, which places, and columns of the longest with the new one."""
    first, least, most = 0, rows[0].own, rows[0].own
    for index in range(1, len(rows) + 1):
        if index < len(rows):
            row, start = rows[index], rows[first].place
            low, high = min(least, row.own), max(most, row.own)
            if row.place - start == index - first < _TOGETHER and high - low <= _ALIKE:
                least, most = low, high
                continue
        start = rows[first].place
        yield slice(first, index), slice(start, start + index - first), most + 1
        if index < len(rows):
            first, least, most = index, rows[index].own, rows[index].own
