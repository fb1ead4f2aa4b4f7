"""Batched sampling from the shipped files by the engine that serves them, thinking caps included. No HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino
import openvino_genai
from tokenizers import Tokenizer

from experiments.reasoner.tokenizer import CLOSE, END, chat_text


@dataclass(frozen=True)
class Completion:
    """What one call generated.

    Attributes:
        text: What stands after the thinking.
        tokens: Generated tokens, thinking and its marks included.
        thinking: Tokens of the thinking alone.
    """

    text: str
    tokens: int
    thinking: int


class Sampler:
    """The model, loaded once; every call is a batch."""

    def __init__(self, weights: Path, temperature: float = 0.8, threads: int = 1, seed: int = 0) -> None:
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.cache_size = 1
        scheduler.max_num_seqs = 64
        scheduler.enable_prefix_caching = True
        settings = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "INFERENCE_NUM_THREADS": threads}
        self._pipeline = openvino_genai.ContinuousBatchingPipeline(str(weights), scheduler, "CPU", settings)
        self.tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
        self._close = self.tokenizer.token_to_id(CLOSE)
        self._end = self.tokenizer.token_to_id(END)
        self._temperature = temperature
        self._seed = seed * 10**7
        self._next = 0

    def _run(self, prompts: list[list[int]], most: int, stop: set[int]) -> list[list[int]]:
        handles = []
        for prompt in prompts:
            config = openvino_genai.GenerationConfig()
            config.max_new_tokens, config.stop_token_ids = most, stop
            config.do_sample, config.temperature, config.top_p = True, self._temperature, 1.0
            self._next += 1
            config.rng_seed = self._seed + self._next
            ids = openvino.Tensor(np.array([prompt], dtype=np.int64))
            handles.append(self._pipeline.add_request(self._next, ids, config))
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
        return [list(handle.read_all()[0].generated_ids) for handle in handles]

    def _ids(self, messages: tuple[str, str]) -> list[int]:
        return list(self.tokenizer.encode(chat_text(*messages), add_special_tokens=False).ids)

    def think(self, messages: list[tuple[str, str]], cap: int, answer: int = 220) -> list[Completion]:
        """Completions that think at most `cap` tokens and then write at most `answer` tokens."""
        prompts = [self._ids(pair) for pair in messages]
        thoughts = self._run(prompts, cap + 1, {self._close, self._end})
        closed = [ids if ids and ids[-1] in (self._close, self._end) else [*ids, self._close] for ids in thoughts]
        starts = [prompt + ids for prompt, ids in zip(prompts, closed, strict=True)]
        rest = self._run(starts, answer, {self._end})
        return [
            Completion(self._text(more), len(ids) + len(more), len(ids) - 2)
            for ids, more in zip(closed, rest, strict=True)
        ]

    def plain(self, messages: list[tuple[str, str]], most: int) -> list[Completion]:
        """Completions without thinking, at most `most` tokens."""
        found = self._run([self._ids(pair) for pair in messages], most, {self._end})
        return [Completion(self._text(ids), len(ids), 0) for ids in found]

    def _text(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode([i for i in ids if i != self._end], skip_special_tokens=False))
