"""OpenVINO GenAI's continuous batching pipeline behind the scheduler's protocol. The only file that imports OpenVINO.

Inference and KV cache are f32: with a lower cache precision greedy decoding no longer agrees with the reference
implementation. Token ids go in and out; the pipeline's own tokenizer is not used (it need not even be there).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino
import openvino_genai as genai

from .jobs import GREEDY_BELOW, Drawn, EngineOptions, Sampling

_LARGEST_MIN_P = 0.999999  # the pipeline refuses 1, which the API allows


class OpenVinoStream:
    """One sequence, through the pipeline's handle."""

    def __init__(self, handle: genai.GenerationHandle) -> None:
        self._handle = handle

    def read(self) -> Drawn:
        """What is new since the last read."""
        tokens: list[int] = []
        reason = genai.GenerationFinishReason.NONE
        while self._handle.can_read():
            for output in self._handle.read().values():
                tokens += output.generated_ids
                reason = output.finish_reason
        if reason == genai.GenerationFinishReason.STOP:
            return Drawn(tokens, "stop")
        if reason == genai.GenerationFinishReason.LENGTH:
            return Drawn(tokens, "length")
        return Drawn(tokens, None if self._handle.get_status() == genai.GenerationStatus.RUNNING else "error")

    def cancel(self) -> None:
        """Drop the sequence; the pipeline frees it at its next step."""
        self._handle.cancel()


class OpenVinoPipeline:
    """The pipeline, loaded.

    Raises:
        RuntimeError: The weights can't be loaded.
    """

    # The pipeline could tell some, but of the scores before temperature, not of what it draws from.
    logprobs = False

    def __init__(self, options: EngineOptions) -> None:
        scheduler = genai.SchedulerConfig()
        scheduler.enable_prefix_caching = True
        scheduler.dynamic_split_fuse = True
        scheduler.max_num_seqs = options.max_num_seqs
        scheduler.max_num_batched_tokens = options.max_num_batched_tokens
        scheduler.num_kv_blocks = options.kv_blocks
        self._pipeline = genai.ContinuousBatchingPipeline(
            options.weights,
            scheduler,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",
                "KV_CACHE_PRECISION": "f32",
                "INFERENCE_NUM_THREADS": options.threads,
                # Mapped weights would kill the process (SIGBUS) when someone writes new ones in their place.
                "ENABLE_MMAP": False,
            },
        )
        self._next = 0

    def add(
        self, prompt: Sequence[int], sampling: Sampling, max_tokens: int, stop_ids: frozenset[int]
    ) -> OpenVinoStream:
        """Start one sequence."""
        # The pipeline's ids are its own: a job whose thinking was closed enters it twice.
        self._next += 1
        ids = openvino.Tensor(np.array([prompt], dtype=np.int64))
        return OpenVinoStream(self._pipeline.add_request(self._next, ids, _config(sampling, max_tokens, stop_ids)))

    def step(self) -> None:
        """One step for all (holds the GIL throughout, hence the process of its own)."""
        self._pipeline.step()


def _config(sampling: Sampling, max_tokens: int, stop_ids: frozenset[int]) -> genai.GenerationConfig:
    config = genai.GenerationConfig()
    config.max_new_tokens = max_tokens
    # Left to itself the pipeline adds the model's own end token, also where a request asked to ignore it.
    config.stop_token_ids = set(stop_ids)
    if stop_ids:
        config.eos_token_id = min(stop_ids)
    else:
        config.ignore_eos = True
    config.repetition_penalty = sampling.repetition_penalty
    config.presence_penalty = sampling.presence_penalty
    config.frequency_penalty = sampling.frequency_penalty
    config.do_sample = sampling.temperature >= GREEDY_BELOW
    if config.do_sample:
        config.temperature = sampling.temperature
        config.top_p = sampling.top_p
        config.min_p = min(sampling.min_p, _LARGEST_MIN_P)
        config.rng_seed = sampling.seed
        if sampling.top_k > 0:
            config.top_k = sampling.top_k
    return config
