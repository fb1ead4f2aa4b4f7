"""How much of one group's gradient is signal, by mode: how many groups an update wants.

Each group's gradient of J_CISPO is computed alone, on the policy as it is; `experiments.training.signal` says what is
made of them. Groups without variance have no gradient and are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import torch
from torch import Tensor
from tqdm.auto import tqdm

from experiments.configuration import ConfigError
from experiments.training.config import Config
from experiments.training.models import load
from experiments.training.objective import advantages, cispo
from experiments.training.policies import served
from experiments.training.problems import problems_of
from experiments.training.rollouts import Mode, Rollout, Rollouts
from experiments.training.signal import estimated
from pdr_dspy import bridge
from pdr_dspy.data import Problem


def measure(config: Config, model_name: str, groups: int) -> str:
    """A table: signal to noise of one group's gradient in each mode of `operator_rl`, and live groups an update wants.

    Args:
        config: What a rollout is.
        model_name: The policy's folder.
        groups: Groups of each mode.

    Raises:
        ConfigError: the sampler is not this process, or the model can't be trained here.
    """
    if config.sampler.kind != "torch":
        raise ConfigError("sampler.kind", "the signal is measured on one process's own model", "Write kind: torch")
    dataset = problems_of(config.data)
    model, tokenizer = load(config, model_name)
    stage = config.operator_rl
    temperature = config.shape.temperature
    lines = [f"{'mode':10} {'groups':>6} {'live':>5} {'right':>6}  signal to noise of a live group  live groups wanted"]
    with served(config, dataset, stage.reward, model, tokenizer) as policy:
        for number, mode in enumerate(stage.shares):
            problems = dataset.problems[number * groups : (number + 1) * groups]
            found = bridge.run(_groups(policy.rollouts, mode, problems, config.seed))
            live = [group for group in found if len({row.reward for row in group}) > 1]
            right = sum(row.right for group in found for row in group) / sum(map(len, found))
            said = f"{mode:10} {len(found):6} {len(live):5} {right:6.2f}"
            if len(live) < 3:
                lines.append(f"{said}  too few to tell")
                continue
            bar = tqdm(live, desc=mode, leave=False)
            parts = torch.stack([gradient(model, group, stage.clip, temperature) for group in bar])
            ratio, error = estimated(parts)
            wanted = f"{1 / ratio:,.0f}" if ratio > error else "more than can be told"
            lines.append(f"{said}  {ratio:.4f} +- {1.96 * error:.4f}                 {wanted}")
    return "\n".join(lines)


async def _groups(rollouts: Rollouts, mode: Mode, problems: Sequence[Problem], seed: int) -> list[list[Rollout]]:
    return await asyncio.gather(*(rollouts.group(mode, problem, seed) for problem in problems))


def gradient(model: torch.nn.Module, group: Sequence[Rollout], ceiling: float, temperature: float) -> Tensor:
    """The gradient of J_CISPO of one group, flat."""
    model.zero_grad(set_to_none=True)
    rewards = torch.tensor([row.reward for row in group])
    advantage = advantages(rewards, len(group))
    log_probs, mask = log_probabilities(model, group, temperature)
    cispo(log_probs, log_probs.detach(), advantage, mask, ceiling=ceiling).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def log_probabilities(model: torch.nn.Module, rows: Sequence[Rollout], temperature: float) -> tuple[Tensor, Tensor]:
    """Log-probability and mask of each completion token, shape (rows, tokens), padded at the right."""
    whole = [torch.tensor([*row.tokens.prompt, *row.tokens.completion]) for row in rows]
    ids = torch.nn.utils.rnn.pad_sequence(whole, batch_first=True)
    scores = (model(input_ids=ids).logits[:, :-1] / temperature).log_softmax(-1)
    every = scores.gather(2, ids[:, 1:, None])[..., 0]
    longest = max(len(row.tokens.completion) for row in rows)
    found, mask = torch.zeros(len(rows), longest), torch.zeros(len(rows), longest)
    for place, row in enumerate(rows):
        start, length = len(row.tokens.prompt) - 1, len(row.tokens.completion)
        found[place, :length] = every[place, start : start + length]
        mask[place, :length] = torch.tensor(row.tokens.mask, dtype=torch.float32)
    return found, mask
