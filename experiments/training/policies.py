"""A policy that rollouts can be drawn from: the model in training, served like any other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.training.config import Config
from experiments.training.policy.serving import serving
from experiments.training.policy.torch_pipeline import TorchPipeline
from experiments.training.policy.weights import reasoner_of
from experiments.training.rollouts import Recorded, Rollouts, open_policy, reward_of
from experiments.training.rollouts.exchanges import SharedDrafts
from experiments.training.rollouts.reward import RewardKind
from pdr_dspy.data import Dataset
from pdr_dspy.embedded.chat import THINK_END, THINK_START
from pdr_dspy.embedded.jobs import ThinkTokens
from pdr_dspy.embedded.scheduler import Pipeline
from pdr_dspy.endpoint import EndpointSettings


@dataclass(frozen=True)
class Served:
    """A policy that is being served.

    Attributes:
        rollouts: Draws from it.
        pipeline: Where new weights go; None: TRL brings them to vLLM.
    """

    rollouts: Rollouts
    pipeline: TorchPipeline | None

    def load(self, model: Any) -> None:
        """Draw from these weights from now on (a transformers model)."""
        if self.pipeline is not None:
            self.pipeline.load(model.state_dict())


@contextmanager
def served(
    config: Config, dataset: Dataset, reward: RewardKind, model: Any, tokenizer: Any, engine: Any = None
) -> Iterator[Served]:
    """Serve a model and open the library's way to it.

    Args:
        config: Who samples, and what a rollout is.
        dataset: The problems.
        reward: What a rollout is worth.
        model: A transformers model.
        tokenizer: Its tokenizer.
        engine: The colocated `vllm.LLM`, where there is one.

    Raises:
        EndpointError: it can't be served or reached.
    """
    sampler = config.sampler
    with ExitStack() as stack:
        url, pipeline = sampler.url, None
        if sampler.kind != "vllm_server":
            folder = local_folder(model.config.name_or_path)
            if sampler.kind == "torch":
                pipeline = TorchPipeline(reasoner_of(folder), slots=sampler.load)
            url = stack.enter_context(serving(pipeline or _colocated(engine), folder, slots=sampler.load))
        recorded, shared = Recorded(), SharedDrafts()
        settings = EndpointSettings((url,), load=sampler.load, timeout=sampler.timeout)
        endpoint = stack.enter_context(open_policy(settings, recorded, shared))
        judge, thinking = reward_of(reward, dataset), thinking_of(tokenizer)
        yield Served(Rollouts(endpoint, recorded, shared, dataset, config.shape, judge, thinking), pipeline)


def _colocated(engine: Any) -> Pipeline:
    from experiments.training.policy.vllm_pipeline import VllmPipeline  # where there is a vLLM

    return VllmPipeline(engine)


def thinking_of(tokenizer: Any) -> ThinkTokens | None:
    """The tokens around a thinking, or None where the tokenizer has none."""
    known = tokenizer.get_vocab()
    if THINK_START not in known or THINK_END not in known:
        return None
    return ThinkTokens(known[THINK_START], known[THINK_END])


def local_folder(model: str) -> Path:
    """The folder of a model's small files: its own, or what the Hub has of it."""
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(model, allow_patterns=["*.json", "*.jinja"]))
