"""An offline `vllm.LLM` as a pipeline of the embedded server's scheduler: TRL's colocated engine, served in place.

vLLM batches, caches prefixes and samples; the scheduler above it closes the thinking, as on the other pipelines. Works
with vLLM's core in this process or in one of its own.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from vllm import SamplingParams
from vllm.inputs import TokensPrompt
from vllm.sampling_params import RequestOutputKind

from pdr_dspy.embedded.jobs import Drawn, Finish, Sampling

if TYPE_CHECKING:
    from vllm import LLM

_IDS = itertools.count()
_FINISHES: dict[str | None, Finish | None] = {None: None, "stop": "stop", "length": "length"}


class VllmStream:
    """One request in vLLM."""

    def __init__(self, owner: VllmPipeline, request: str) -> None:
        self._owner = owner
        self.request = request
        self._tokens: list[int] = []
        self._logprobs: list[float] = []
        self._finish: Finish | None = None

    def take(self, output: Any) -> None:
        """Take a `CompletionOutput` of new tokens."""
        self._tokens += output.token_ids
        if self._owner.logprobs and output.logprobs is not None:
            pairs = zip(output.token_ids, output.logprobs, strict=True)
            self._logprobs += [found[token].logprob for token, found in pairs]
        self._finish = _FINISHES.get(output.finish_reason, "error")

    def read(self) -> Drawn:
        """What is new since the last read."""
        new = Drawn(self._tokens, self._finish, self._logprobs)
        self._tokens, self._logprobs = [], []
        return new

    def cancel(self) -> None:
        """Drop the request."""
        self._owner.drop(self)


class VllmPipeline:
    """An `LLM`, stepped by the scheduler. Nobody else may generate with it meanwhile.

    Args:
        llm: The engine, with `logprobs_mode="processed_logprobs"` (as TRL starts it) where log-probabilities are
            wanted.

    Attributes:
        logprobs: Whether log-probabilities are told: only those of the distribution that tokens are drawn from are.

    Raises:
        ValueError: The engine spans several processes that would all have to be given the same requests.
    """

    def __init__(self, llm: LLM) -> None:
        self._engine = llm.llm_engine
        config = self._engine.vllm_config
        parallel = config.parallel_config
        if parallel.world_size > 1 and parallel.distributed_executor_backend == "external_launcher":
            raise ValueError(
                f"vllm_tensor_parallel_size: {parallel.world_size} processes share one colocated engine and must all "
                "give it the same requests, which calls over HTTP can't: use 1, or vllm_mode='server'"
            )
        self.logprobs = config.model_config.logprobs_mode == "processed_logprobs"
        # A thread begins on the first GPU, whichever the engine is on.
        self._device = torch.cuda.current_device() if torch.cuda.is_available() else None
        self._streams: dict[str, VllmStream] = {}
        self._lock = threading.Lock()

    def add(self, prompt: Sequence[int], sampling: Sampling, max_tokens: int, stop_ids: frozenset[int]) -> VllmStream:
        """Start one sequence. Raises `ValueError` for what vLLM refuses."""
        params = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k or -1,
            min_p=sampling.min_p,
            seed=sampling.seed,
            repetition_penalty=sampling.repetition_penalty,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            max_tokens=max_tokens,
            stop_token_ids=sorted(stop_ids),
            ignore_eos=True,  # the model's own end is among the stop ids, where it is meant to end anything
            logprobs=0 if self.logprobs else None,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )
        stream = VllmStream(self, f"pdr-{next(_IDS)}")
        with self._lock:
            self._engine.add_request(stream.request, TokensPrompt(prompt_token_ids=list(prompt)), params)
            self._streams[stream.request] = stream
        return stream

    def drop(self, stream: VllmStream) -> None:
        """Take a request out."""
        with self._lock:
            if self._streams.pop(stream.request, None) is not None:
                self._engine.abort_request([stream.request])

    def step(self) -> None:
        """Generate one token for every sequence."""
        if self._device is not None:
            torch.cuda.set_device(self._device)
        with self._lock:
            if not self._streams:
                return  # with its core in another process, a step waits for an output, and there would be none
            for output in self._engine.step():
                stream = self._streams.get(output.request_id)
                if stream is not None:
                    stream.take(output.outputs[0])
                    if output.finished:
                        del self._streams[output.request_id]
