"""What the server process and the engine process say to each other: plain values, token ids only.

A `Job` is one sequence to generate (a request with n choices is n jobs), `Progress` is what became of it since the
last report. No text, no HTTP and no OpenVINO here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

KV_BLOCK_TOKENS = 32
"""Tokens of one block of the KV cache (fixed by OpenVINO's CPU plugin)."""

GREEDY_BELOW = 1e-5
"""A lower temperature is none at all, as in vLLM: the likeliest token is taken."""

Finish = Literal["stop", "length", "abort", "error"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn.

    Attributes:
        temperature: 0 (anything below `GREEDY_BELOW`) is greedy.
        top_p: Nucleus; 1 is off (and fast: the filter sorts the vocabulary for each token).
        top_k: Number of tokens kept; 0 is off.
        min_p: Smallest probability relative to the likeliest token's; 0 is off.
        seed: Seed of this sequence's own generator; the same seed draws the same tokens, alone or in a batch.
        repetition_penalty, presence_penalty, frequency_penalty: As in the OpenAI and vLLM APIs.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int = 0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0


@dataclass(frozen=True, slots=True)
class ThinkTokens:
    """The two tokens around a sequence's thinking."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ThinkingCap:
    """At most `limit` thinking tokens; then the engine writes the closing token itself and generation goes on.

    Attributes:
        tokens: The tokens around the thinking.
        limit: Thinking tokens (the markers themselves are not counted).
        open_at_start: Whether the prompt already ends inside the thinking.
    """

    tokens: ThinkTokens
    limit: int
    open_at_start: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One sequence to generate.

    Attributes:
        id: Number of the job, unique within the server's life.
        prompt: Token ids.
        sampling: How to draw.
        max_tokens: Most tokens to generate, a forced closing token included.
        stop_ids: Tokens that end the sequence (they are reported and counted).
        cap: The thinking cap, or None.
        eager: Report every step. Otherwise the first token is reported at once and the rest at the end.
    """

    id: int
    prompt: tuple[int, ...]
    sampling: Sampling
    max_tokens: int
    stop_ids: frozenset[int] = frozenset()
    cap: ThinkingCap | None = None
    eager: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """Drop a job; its unreported tokens come back with `finish="abort"`."""

    id: int


class Drawn(NamedTuple):
    """What a pipeline has drawn of one sequence since it was last asked.

    Attributes:
        tokens: Token ids.
        finish: Why the sequence ended, or None while it runs.
        logprobs: Log-probability of each token in the distribution it was drawn from, or nothing where the pipeline
            does not tell.
    """

    tokens: Sequence[int]
    finish: Finish | None = None
    logprobs: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """News of one job. The first, without tokens, says that it has left the queue and runs.

    Attributes:
        id: The job.
        tokens: Tokens generated since the last report.
        finish: Why it ended, or None while it runs.
        detail: What went wrong, with `finish="error"`.
        logprobs: As `Drawn`'s; 0 for a closing token that the engine wrote.
    """

    id: int
    tokens: tuple[int, ...] = ()
    finish: Finish | None = None
    detail: str = ""
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine has loaded its model."""

    seconds: float


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the engine process is started with.

    Attributes:
        weights: Directory of the OpenVINO model.
        threads: Inference threads.
        max_num_seqs: Sequences generated at once; further jobs wait.
        max_num_batched_tokens: Most tokens of one step (a longer prefill is cut into several).
        kv_blocks: Size of the KV cache in blocks.
    """

    weights: str
    threads: int
    max_num_seqs: int
    max_num_batched_tokens: int
    kv_blocks: int


Command = Job | Cancel
