"""How much of a gradient is signal: from the products of its independent parts.

Parts g_1 .. g_n of one gradient (groups, or micro-batches) have the same mean m and a noise of their own. The mean
product of two different parts is |m|^2, the mean square |m|^2 + noise. Their ratio, the signal to noise of a part, says
how many parts an update wants: with 1 / ratio of them, signal and noise are alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def pairwise(whole: float, squares: Sequence[float]) -> float | None:
    """Signal to noise of a part: |m|^2 over a part's mean square.

    Args:
        whole: Squared norm of the parts' sum.
        squares: Squared norm of each part.

    Returns:
        None where there are fewer than 2 parts, or all are 0.
    """
    count, total = len(squares), math.fsum(squares)
    if count < 2 or total == 0:
        return None
    return ((whole - total) / (count * (count - 1))) / (total / count)


def estimated(parts: Tensor) -> tuple[float, float]:
    """Signal to noise of a part, and its standard error by the jackknife.

    Args:
        parts: One gradient a row, shape (parts, parameters), at least 3.
    """
    products = (parts @ parts.T).double()
    count = len(parts)

    def over(kept: Tensor) -> float:
        chosen = products[kept][:, kept]
        return pairwise(chosen.sum().item(), chosen.diagonal().tolist()) or 0.0

    everything = torch.arange(count)
    left_out = [over(everything[everything != one]) for one in range(count)]
    mean = sum(left_out) / count
    error = math.sqrt((count - 1) / count * sum((value - mean) ** 2 for value in left_out))
    return over(everything), error


class Signal:
    """Follows a gradient while its micro-batches are summed up in the parameters."""

    def __init__(self) -> None:
        self._before: Tensor | None = None
        self._squares: list[float] = []

    def add(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Note the micro-batch that was added last."""
        now = torch.cat([p.grad.detach().flatten() for p in parameters if p.grad is not None])
        part = now if self._before is None else now - self._before
        self._squares.append(part.double().square().sum().item())
        self._before = now.clone()

    def taken(self) -> float | None:
        """The signal to noise of a micro-batch, at the end of an update; None where it can't be told."""
        if self._before is None:
            return None
        found = pairwise(self._before.double().square().sum().item(), self._squares)
        self._before, self._squares = None, []
        return found
