"""Drawing the next token of many sequences at once; pure functions of scores and uniform numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def log_probabilities(scores: Tensor, temperature: Tensor, top_k: Tensor) -> Tensor:
    """The distributions that tokens are drawn from.

    Args:
        scores: (sequences, vocabulary).
        temperature: (sequences,), positive.
        top_k: (sequences,), how many of the likeliest tokens are kept (with those level with the last); 0 is all.

    Returns:
        Log-probabilities, (sequences, vocabulary) in float32; minus infinity for what is not kept.
    """
    scaled = scores.float() / temperature[:, None]
    if bool((top_k > 0).any()):
        vocabulary = scaled.shape[1]
        kept = torch.where(top_k > 0, top_k.clamp(max=vocabulary), vocabulary)
        least = scaled.sort(dim=1, descending=True).values.gather(1, kept[:, None] - 1)
        scaled = scaled.masked_fill(scaled < least, -torch.inf)
    return scaled.log_softmax(1)


def draw(logprobs: Tensor, uniform: Tensor) -> Tensor:
    """One token for each row, by the inverse of its distribution function.

    Tokens stay in the order of their ids, so that rounding of nearly level scores moves a boundary a little instead of
    exchanging two tokens: a sequence's draws hardly depend on what else is in the batch.

    Args:
        logprobs: (sequences, vocabulary).
        uniform: (sequences,), float64 in [0, 1).

    Returns:
        Token ids, (sequences,).
    """
    mass = logprobs.exp().double().cumsum(1)
    found = torch.searchsorted(mass, uniform[:, None] * mass[:, -1:], right=True)
    return found.squeeze(1).clamp(max=logprobs.shape[1] - 1)
