"""Completions of many requests, drawn by the training's own sampler, the thinking cut and closed as it is served."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from experiments.reasoner.model import Reasoner
from experiments.reasoner.tokenizer import CLOSE, END, THINK
from experiments.training.policy.torch_pipeline import TorchPipeline
from pdr_dspy.embedded.jobs import Job, Sampling, ThinkingCap, ThinkTokens
from pdr_dspy.embedded.scheduler import Scheduler

SLOTS = 192


@dataclass(frozen=True)
class Marks:
    """Ids of the tokens that a sampler acts on."""

    thinking: ThinkTokens
    end: int

    @classmethod
    def of(cls, vocabulary: dict[str, int]) -> Marks:
        """The marks of a tokenizer's vocabulary."""
        return cls(ThinkTokens(vocabulary[THINK], vocabulary[CLOSE]), vocabulary[END])


@dataclass(frozen=True)
class Request:
    """One completion to sample.

    Attributes:
        prompt: Token ids.
        most: The most tokens to generate, the closing mark of the thinking included.
        thinking: The most thinking tokens; None: no cap of its own.
    """

    prompt: tuple[int, ...]
    most: int
    thinking: int | None = None


@dataclass(frozen=True)
class Completion:
    """What was sampled.

    Attributes:
        ids: Token ids without the end mark.
        ended: Whether the model ended it; else it was cut off.
    """

    ids: tuple[int, ...]
    ended: bool


def generate(
    model: Reasoner, marks: Marks, requests: Sequence[Request], temperature: float, seed: int, slots: int = SLOTS
) -> list[Completion]:
    """One completion a request, in their order.

    Args:
        model: The weights.
        marks: Ids of the special tokens.
        requests: What to sample.
        temperature: Of the sampling.
        seed: Of the sampling.
        slots: Sequences at once.
    """
    # The cache of `TorchPipeline` grows as it must, so the scheduler has no blocks to count.
    scheduler = Scheduler(TorchPipeline(model, slots=slots), slots, kv_blocks=2**62)
    rng = random.Random(seed)
    jobs = [
        Job(
            number,
            request.prompt,
            Sampling(temperature=temperature, seed=rng.randrange(2**32)),
            request.most,
            frozenset({marks.end}),
            None if request.thinking is None else ThinkingCap(marks.thinking, request.thinking),
        )
        for number, request in enumerate(requests)
    ]
    # The longest first, so that the last ones to run are short; equal prompts side by side, which are read once.
    for job in sorted(jobs, key=lambda job: (-job.max_tokens, job.prompt)):
        scheduler.accept(job)
    found: dict[int, list[int]] = {job.id: [] for job in jobs}
    ended: set[int] = set()
    with tqdm(total=len(jobs), desc="sampling", unit=" calls", leave=False, disable=None) as bar:
        while not scheduler.idle:
            for news in scheduler.step():
                if news.finish == "error":
                    raise RuntimeError(f"the sampler refused a request: {news.detail}")
                found[news.id] += news.tokens
                bar.update(news.finish is not None)
                if news.finish == "stop":
                    ended.add(news.id)
    return [Completion(tuple(ids[: len(ids) - (job in ended)]), job in ended) for job, ids in found.items()]
