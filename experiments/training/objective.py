"""The objective, in closed form (arXiv 2510.01123, section 4; CISPO: arXiv 2506.13585): J = (J_trace + J_operator) / 2.

Each mode's J = J_CISPO + alpha J_SFT. Rewards are +1 or -1 and are normalised within a group (the rollouts of one
prompt). CISPO clips the importance ratio and stops its gradient, so that every token keeps its gradient. The SFT term
is the length-normalised log-likelihood of a batch's right rollouts, those of groups that are all right included.
Tensors have shape (rows, tokens) unless said otherwise; pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-4
"""Added to a group's standard deviation, as TRL does."""


def advantages(rewards: Tensor, size: int) -> Tensor:
    """Group-normalised rewards; 0 in a group without variance.

    Args:
        rewards: Shape (groups * size,), a group's rows next to each other.
        size: Rows of a group, at least 2.
    """
    grouped = rewards.view(-1, size)
    centred = grouped - grouped.mean(1, keepdim=True)
    return (centred / (grouped.std(1, keepdim=True) + EPSILON)).view(-1)


def live(rewards: Tensor, size: int) -> Tensor:
    """Which groups have variance, shape (groups,): the others have no policy gradient."""
    grouped = rewards.view(-1, size)
    return (grouped != grouped[:, :1]).any(1)


def cispo(log_probs: Tensor, old: Tensor, advantage: Tensor, mask: Tensor, *, ceiling: float) -> Tensor:
    """J_CISPO, to be maximised: the mean over all counted tokens of sg(min(ratio, ceiling)) * A * log pi.

    Args:
        log_probs: Of the policy that is trained, with gradient.
        old: Of the policy that drew the tokens.
        advantage: Shape (rows,).
        mask: 1 where a token counts: drawn by the policy, not forced and not padding.
        ceiling: The largest ratio, 1 + epsilon_high (5.0). There is no floor.
    """
    ratio = torch.exp(log_probs - old).clamp(max=ceiling).detach()
    return (ratio * advantage[:, None] * log_probs * mask).sum() / mask.sum().clamp(min=1)


def sft(log_probs: Tensor, right: Tensor, mask: Tensor) -> Tensor:
    """J_SFT, to be maximised: the mean over right rows of their mean log-probability a token; 0 where none is right.

    Args:
        log_probs: With gradient.
        right: Whether a row's answer is right, shape (rows,).
        mask: As in `cispo`.
    """
    each = (log_probs * mask).sum(1) / mask.sum(1).clamp(min=1)
    chosen = right.to(each.dtype)
    return (each * chosen).sum() / chosen.sum().clamp(min=1)


def mode_weights(modes: Sequence[str], tokens: Sequence[int], shares: Mapping[str, float]) -> list[float]:
    """A weight for each row with which a mean over all tokens becomes the modes' means in their shares.

    Args:
        modes: Each row's mode.
        tokens: Each row's counted tokens.
        shares: What each mode counts; those that are in the batch are scaled to sum to 1.
    """
    total = sum(tokens)
    counted = {mode: sum(n for m, n in zip(modes, tokens, strict=True) if m == mode) for mode in set(modes)}
    present = sum(shares[mode] for mode in counted)
    return [shares[mode] / present * total / counted[mode] if counted[mode] else 0.0 for mode in modes]


def trimmed(rows: Mapping[str, Any]) -> dict[str, Any]:
    """A micro-batch without the columns that are padding in all of its rows.

    Args:
        rows: TRL's tensors of some rows: `prompt_mask` (rows, prompt), padded at the left, `completion_mask`
            (rows, completion), padded at the right, and others of these shapes.
    """
    prompt, completion = rows["prompt_mask"], rows["completion_mask"]
    long = int(prompt.sum(1).max()), max(1, int(completion.sum(1).max()))
    found = dict(rows)
    for name, value in rows.items():
        if not isinstance(value, Tensor) or value.dim() != 2:
            continue
        if name in ("prompt_ids", "prompt_mask"):
            found[name] = value[:, prompt.shape[1] - long[0] :]
        elif value.shape[1] == completion.shape[1]:
            found[name] = value[:, : long[1]]
    return found
