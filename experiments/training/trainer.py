"""TRL's trainer with the rest of the objective: modes in their shares, and the SFT term. Knows nothing of drafts.

`GRPOTrainer` with `loss_type="cispo"` gives J_CISPO over all rows of a rollout step. Here each row's advantage gets a
weight that makes it the modes' mean, and alpha J_SFT is added (`experiments.training.objective` has both in closed
form, and the tests compare). What a rollout function returns beside the tokens says what a row is: `mode`, `reward`
and `right`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from trl import GRPOTrainer

from experiments.training.objective import live, mode_weights, trimmed
from experiments.training.signal import Signal


def reward(completions: list[Any], reward: list[float], **_: Any) -> list[float]:
    """TRL's reward function: what the rollout function has found already."""
    return reward


class OperatorTrainer(GRPOTrainer):
    """Args as TRL's, and:

    Args:
        policy: Weight of J_CISPO; 0 leaves the SFT term alone.
        alpha: Weight of the SFT term (0.1).
        shares: What each mode counts in the objective.
        signal: Log the gradient's signal to noise at each update (one process alone; keeps a copy of the gradient).
    """

    def __init__(
        self,
        *args: Any,
        policy: float = 1.0,
        alpha: float = 0.1,
        shares: Mapping[str, float],
        signal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._policy = policy
        self._alpha = alpha
        self._shares = dict(shares)
        self._modes = sorted(self._shares)
        self._log_probs: Tensor | None = None
        self._signal = Signal() if signal and self.accelerator.num_processes == 1 else None

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        mask = output["completion_mask"] * output.get("tool_mask", 1)
        # TRL has put there what the rollout function returned.
        codes = torch.tensor([self._modes.index(row["mode"]) for row in inputs], device=mask.device)
        right = torch.tensor([row["right"] for row in inputs], device=mask.device)
        rewards = torch.tensor([row["reward"] for row in inputs], device=mask.device, dtype=torch.float32)
        # Of all processes: a mode's share is that of the whole rollout step.
        columns = [codes, mask.sum(1), right]
        everybody = self.accelerator.gather(torch.stack([column.long() for column in columns], 1)).tolist()
        modes = [self._modes[code] for code, _, _ in everybody]
        first = self.accelerator.process_index * len(inputs)
        mine = slice(first, first + len(inputs))
        weights = mode_weights(modes, [tokens for _, tokens, _ in everybody], self._shares)
        output["advantages"] = self._policy * output["advantages"] * torch.tensor(weights[mine], device=mask.device)
        # The same over rows instead of tokens: the sum over all rows is then the modes' mean over their right rows.
        count = sum(number for _, _, number in everybody)
        each = mode_weights(modes, [number for _, _, number in everybody], self._shares)
        output["sft_weights"] = torch.tensor(each[mine], device=mask.device) * right / max(1, count)
        self._tell(codes, right, rewards, mask.sum(1))
        return output

    @property
    def _logged(self) -> dict[str, list[float]]:
        """TRL's numbers of the kind of pass this is."""
        found: dict[str, list[float]] = self._metrics["train" if self.model.training else "eval"]
        return found

    def _tell(self, codes: Tensor, right: Tensor, rewards: Tensor, lengths: Tensor) -> None:
        """Log what the rows of each mode are like, over all processes."""
        table = torch.stack([codes.float(), right.float(), rewards, lengths.float()], 1)
        table = self.accelerator.gather(table)
        metrics = self._logged
        for code, mode in enumerate(self._modes):
            every = table[table[:, 0] == code]
            rows = every[every[:, 3] > 0]  # the others stand for groups that did not come about
            if len(every):
                metrics[f"failed_groups/{mode}"].append(1 - len(rows) / len(every))
            if not len(rows):
                continue
            metrics[f"right/{mode}"].append(rows[:, 1].mean().item())
            metrics[f"reward/{mode}"].append(rows[:, 2].mean().item())
            metrics[f"length/{mode}"].append(rows[:, 3].mean().item())
            metrics[f"live_groups/{mode}"].append(live(rows[:, 2], self.num_generations).float().mean().item())

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self._log_probs = found[0]
        return found

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        # TRL pads every row to the longest of the whole rollout step.
        inputs = trimmed(inputs)
        loss: Tensor = super()._compute_loss(model, inputs)
        assert self._log_probs is not None
        log_probs, self._log_probs = self._log_probs, None
        mask = inputs["completion_mask"] * inputs.get("tool_mask", 1)
        self._compare(log_probs.detach(), inputs, mask)
        if not self._alpha:
            return loss
        each = (log_probs * mask).sum(1) / mask.sum(1).clamp(min=1)
        term = (each * inputs["sft_weights"]).sum() * self.accelerator.num_processes
        if self.model.training:  # the weights are those of a whole rollout step: as TRL does with its own normaliser
            term = term * self.args.steps_per_generation / self.current_gradient_accumulation_steps
        # TRL's log is the mean over an update's passes, of which each has a part of the term.
        parts = self.current_gradient_accumulation_steps if self.model.training else 1
        self._logged["sft"].append(term.item() * parts)
        return loss - self._alpha * term

    def _compare(self, log_probs: Tensor, inputs: dict[str, Any], mask: Tensor) -> None:
        """Log the ratio to the policy that drew the rows, and how far sampler and trainer are apart at first."""
        drawn = inputs.get("sampling_per_token_logps")
        if drawn is None or not mask.any():
            return
        metrics = self._logged
        difference = (log_probs - drawn)[mask.bool()]
        metrics["ratio/mean"].append(difference.exp().mean().item())
        metrics["ratio/max"].append(difference.exp().max().item())
        before = inputs.get("old_per_token_logps")  # before the rollout step's first update
        start = difference if before is None else (before - drawn)[mask.bool()]
        metrics["sampler_difference/mean"].append(start.abs().mean().item())
        metrics["sampler_difference/max"].append(start.abs().max().item())

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: it would tell of a model on the Hub."""

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        if self._signal is not None:
            self._signal.add(model.parameters())
            if self._step % self.current_gradient_accumulation_steps == 0:
                found = self._signal.taken()
                if found is not None:
                    self._metrics["train"]["signal_to_noise"].append(found)
        return loss
