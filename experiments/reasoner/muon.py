"""Muon for hidden matrices: momentum, then the nearest orthogonal matrix by Newton-Schulz; equal shapes together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def orthogonal(batch: Tensor, iterations: int = 5) -> Tensor:
    """Approximately the orthogonal factor of each matrix of a batch (rows <= columns)."""
    x: Tensor = batch / (batch.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


class Muon:
    """The optimiser. Each parameter is a stack of `blocks` matrices one below the other (query, key, value)."""

    def __init__(self, parameters: Sequence[tuple[Tensor, int]], momentum: float = 0.95) -> None:
        self.momentum = momentum
        self.matrices: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}
        for parameter, blocks in parameters:
            for block in range(blocks):
                rows = parameter.shape[0] // blocks
                part = slice(block * rows, (block + 1) * rows)
                shape = (min(rows, parameter.shape[1]), max(rows, parameter.shape[1]))
                self.matrices.setdefault(shape, []).append((parameter, torch.tensor([part.start, part.stop])))
        self.buffers = {shape: torch.zeros(len(group), *shape) for shape, group in self.matrices.items()}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One update from the parameters' gradients."""
        for shape, group in self.matrices.items():
            gradients = []
            for parameter, (start, stop) in group:
                assert parameter.grad is not None
                gradient = parameter.grad[start:stop]
                gradients.append(gradient.T if gradient.shape[0] > gradient.shape[1] else gradient)
            stacked = torch.stack(gradients)
            buffer = self.buffers[shape]
            buffer.lerp_(stacked, 1 - self.momentum)
            updates = orthogonal(stacked.lerp(buffer, self.momentum))
            for (parameter, (start, stop)), update in zip(group, updates, strict=True):
                part = parameter[start:stop]
                tall = part.shape[0] > part.shape[1]
                part.add_(update.T if tall else update, alpha=-rate * max(1.0, part.shape[0] / part.shape[1]) ** 0.5)
