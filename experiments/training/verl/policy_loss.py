"""The objective for verl: an advantage estimator and a policy loss that belong together. Not run on GPUs.

J = sum over modes of share * (J_CISPO + alpha * J_SFT), as `experiments.training.objective` has it in closed form. verl
0.9.1 hands its policy loss the advantages and no other field of a row, and its estimator the rewards and no other. So:

- the reward's place says the mode (`agent_loop.ModeOutput`): at the first token `operator`, further on `trace`;
- the estimator, who sees the whole rollout step, gives each row two numbers: its advantage, with the mode's weight, and
  its weight in the SFT term (0 for a wrong rollout), so that right rollouts of groups without variance count, too;
- the advantages of a row are alike; at its first counted token the SFT weight stands instead, and the loss puts the
  advantage back. A row with a single counted token has no room for the second number and no SFT term.

`algorithm.pdr` holds alpha and the modes' shares. CISPO itself is verl's function, with its clipping. verl's metrics of
advantages include the SFT weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from verl.trainer.ppo.core_algos import compute_policy_loss_cispo, register_adv_est, register_policy_loss

from experiments.training import objective
from pdr_dspy.errors import InputError


def mode_advantages(
    token_level_rewards: Tensor, response_mask: Tensor, index: Sequence[str], config: Any, **_: Any
) -> tuple[Tensor, Tensor]:
    """Advantages and SFT weights of a whole rollout step.

    Args:
        token_level_rewards: Shape (rows, tokens): each row's reward, +1 or -1, at one token.
        response_mask: 1 where a token counts.
        index: Each row's group.
        config: verl's `algorithm` section.

    Returns:
        (Advantages with the SFT weights in them, plain advantages), both of shape (rows, tokens).

    Raises:
        InputError: rewards of another kind (a KL penalty among them).
    """
    options = config.pdr
    shares = {str(mode): float(share) for mode, share in options.shares.items()}
    tokens = response_mask.sum(1)
    real = [row for row in range(len(tokens)) if tokens[row] > 0]  # verl fills a batch up with rows that count nothing
    rewards = token_level_rewards[real].sum(1)
    if not bool(((token_level_rewards[real] != 0).sum(1) == 1).all() and (rewards.abs() == 1).all()):
        raise InputError("algorithm", "a rollout's reward is not +1 or -1 at one token", "Set use_kl_in_reward: false")
    places = token_level_rewards[real].abs().argmax(1)
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(real):
        groups.setdefault(index[row], []).append(number)
    modes = [""] * len(real)
    plain = torch.zeros(len(real))
    for members in groups.values():
        # Of a completion of one token the place says nothing; its group's other rollouts do.
        mode = "trace" if bool((places[members] > 0).any()) else "operator"
        for number in members:
            modes[number] = mode
        if len(members) > 1:
            plain[members] = objective.advantages(rewards[members].cpu().float(), len(members))
    counted = tokens[real].tolist()
    plain *= torch.tensor(objective.mode_weights(modes, counted, shares))
    right = (rewards > 0).long().tolist()
    each = objective.mode_weights(modes, right, shares)
    # The loss divides by the rows of an update, and the updates of a rollout step share its rows.
    scale = float(options.alpha) * len(tokens) / max(sum(right), 1)
    weights = torch.tensor([scale * weight * is_right for weight, is_right in zip(each, right, strict=True)])
    advantages = torch.zeros_like(token_level_rewards, dtype=torch.float32)
    advantages[real] = plain.to(advantages)[:, None]
    advantages *= response_mask
    both = advantages.clone()
    for number, row in enumerate(real):
        if tokens[row] > 1:
            both[row, response_mask[row].argmax()] = weights[number]
    return both, advantages


def cispo_sft(
    old_log_prob: Tensor,
    log_prob: Tensor,
    advantages: Tensor,
    response_mask: Tensor,
    loss_agg_mode: str = "token-mean",
    config: Any = None,
    rollout_is_weights: Tensor | None = None,
) -> tuple[Tensor, dict[str, Any]]:
    """The loss of a part of an update's rows; verl sums the parts and means over the data-parallel ranks.

    Args:
        old_log_prob: Of the policy that drew the tokens, shape (rows, tokens).
        log_prob: Of the policy that is trained, with gradient.
        advantages: As `mode_advantages` made them.
        response_mask: True where a token counts.
        loss_agg_mode: `token-mean`.
        config: verl's actor section; its `global_batch_info` says how large the whole update is.
        rollout_is_weights: verl's correction between sampler and trainer, or None.
    """
    if loss_agg_mode != "token-mean":
        raise InputError("actor.loss_agg_mode", f"{loss_agg_mode!r} is not the objective's", "Write token-mean")
    plain, weights = apart(advantages, response_mask)
    loss, metrics = compute_policy_loss_cispo(
        old_log_prob, log_prob, plain, response_mask, loss_agg_mode, config, rollout_is_weights
    )
    info = config.global_batch_info
    each = (log_prob * response_mask).sum(1) / response_mask.sum(1).clamp(min=1)
    rows = info.get("global_batch_size") or len(each)
    term = (each * weights).sum() / rows * info.get("dp_size", 1)
    return loss - term, {**metrics, "actor/sft": term.detach().item()}


def apart(advantages: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """What `mode_advantages` put into one tensor: advantages of shape (rows, tokens), SFT weights of shape (rows,)."""
    counted = mask.bool()
    number = counted.long()
    rows = torch.arange(len(number), device=number.device)
    first, last = number.argmax(1), number.shape[1] - 1 - number.flip(1).argmax(1)
    weights = torch.where(number.sum(1) > 1, advantages[rows, first], 0.0)
    return advantages[rows, last][:, None] * counted, weights


register_adv_est("pdr_modes")(mode_advantages)
register_policy_loss("pdr_cispo_sft")(cispo_sft)
