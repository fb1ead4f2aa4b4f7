"""TRL's `rollout_func`: groups of the library's runs on the policy as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from tqdm.auto import tqdm

from experiments.training.config import Config
from experiments.training.policies import Served, served
from experiments.training.rollouts import Rollout, Rollouts, Tokens
from experiments.training.rollouts.reward import RewardKind
from experiments.training.schedule import Asked
from pdr_dspy import bridge
from pdr_dspy.data import Dataset
from pdr_dspy.errors import EndpointError

_APART = 10
"""Between two groups' seeds: the tries of one (see `Rollouts`) take the next ones."""
_STAGES = 10_000_019
"""Between two configurations' seeds."""


class RolloutFunction:
    """Draws what TRL asks for. Close it at the end.

    Args:
        config: Who samples, and what a rollout is.
        dataset: The problems.
        reward: What a rollout is worth.
    """

    def __init__(self, config: Config, dataset: Dataset, reward: RewardKind) -> None:
        self._config = config
        self._dataset = dataset
        self._problems = {problem.id: problem for problem in dataset.problems}
        self._reward = reward
        self._stack = ExitStack()
        self._served: Served | None = None

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        """The rows of a rollout step, in the order of the prompts (each of which comes as often as a group is wide)."""
        size = self._config.shape.group
        if [text for text in prompts[::size] for _ in range(size)] != prompts:
            raise ValueError("a group of rollouts is not in one process")
        asked = [Asked.of(text) for text in prompts[::size]]
        policy = self._opened(trainer)
        policy.load(trainer.accelerator.unwrap_model(trainer.model))
        show = trainer.accelerator.is_main_process
        groups = bridge.run(self._all(policy.rollouts, asked, show))
        if not any(groups):
            raise EndpointError(
                "rollouts", "not one group of this step came about", "Look whether the model answers such problems"
            )
        # A group that did not come about keeps its place, with a row that counts nothing.
        end = (trainer.processing_class.eos_token_id,)
        nothing = Tokens(end, end, (0.0,), (0,))
        pairs = zip(asked, groups, strict=True)
        rows = [row for one, group in pairs for row in group or [Rollout(one.mode, nothing, -1.0, False)] * size]
        return {
            "prompt_ids": [list(row.tokens.prompt) for row in rows],
            "completion_ids": [list(row.tokens.completion) for row in rows],
            "logprobs": [list(row.tokens.log_probs) for row in rows],
            "env_mask": [list(row.tokens.mask) for row in rows],
            "mode": [row.mode for row in rows],
            "reward": [row.reward for row in rows],
            "right": [row.right for row in rows],
        }

    def close(self) -> None:
        """Stop serving."""
        self._stack.close()

    async def _all(self, rollouts: Rollouts, asked: Sequence[Asked], show: bool) -> list[list[Rollout]]:
        bar = tqdm(total=len(asked), desc="rollouts", unit="group", leave=False, disable=None if show else True)

        async def one(each: Asked) -> list[Rollout]:
            seed = self._config.seed * _STAGES + each.number * _APART
            group = await rollouts.group(each.mode, self._problems[each.problem], seed)
            bar.update()
            return group

        try:
            return await asyncio.gather(*(one(each) for each in asked))
        finally:
            bar.close()

    def _opened(self, trainer: Any) -> Served:
        if self._served is None:  # only now: vLLM's engine is the trainer's
            engine = trainer.vllm_generation.llm if self._config.sampler.kind == "vllm_colocate" else None
            opened = served(self._config, self._dataset, self._reward, trainer.model, trainer.processing_class, engine)
            self._served = self._stack.enter_context(opened)
        return self._served
