"""Stand-ins for verl's server manager: one that says what it is told to, one that really samples the shipped model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pdr_dspy.embedded.serve import WEIGHTS


@dataclass
class Tokens:
    """As verl's `TokenOutput`."""

    token_ids: list[int]
    log_probs: list[float] | None
    stop_reason: str | None = "completed"
    extra_fields: dict[str, Any] = field(default_factory=lambda: {"min_global_steps": 7, "max_global_steps": 7})


Says = Callable[[Sequence[int]], Sequence[int]]


class ScriptedManager:
    """Goes on with what `says(prompt and all that stands)` gives, as far as it is asked for."""

    def __init__(self, says: Says) -> None:
        self._says = says
        self.asked: list[tuple[str, list[int], dict[str, Any]]] = []

    async def generate(self, request_id: str, *, prompt_ids: list[int], sampling_params: dict[str, Any]) -> Tokens:
        self.asked.append((request_id, list(prompt_ids), dict(sampling_params)))
        tokens = list(self._says(prompt_ids))[: sampling_params.pop("max_tokens")]
        return Tokens(tokens, [-token / 100 for token in tokens])


class SampledManager:
    """The shipped reasoner by transformers, token by token, with the log-probabilities that it samples from."""

    def __init__(self, seed: int = 0) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        self.model = AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32).eval()
        self._generator = torch.Generator().manual_seed(seed)
        self._lock = threading.Lock()
        self.asked: list[list[int]] = []

    async def generate(
        self, request_id: str, *, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any
    ) -> Tokens:
        self.asked.append(list(prompt_ids))
        return await asyncio.to_thread(self._sampled, list(prompt_ids), dict(sampling_params))

    def _sampled(self, prompt: list[int], params: dict[str, Any]) -> Tokens:
        import torch

        tokens: list[int] = []
        log_probs: list[float] = []
        cache, following = None, torch.tensor([prompt])
        with self._lock, torch.inference_mode():
            while len(tokens) < params["max_tokens"]:
                output = self.model(following, past_key_values=cache, use_cache=True)
                cache = output.past_key_values
                spread = torch.log_softmax(output.logits[0, -1] / params["temperature"], 0)
                token = int(torch.multinomial(spread.exp(), 1, generator=self._generator))
                tokens.append(token)
                log_probs.append(float(spread[token]))
                if token in params["stop_token_ids"]:
                    break
                following = torch.tensor([[token]])
        return Tokens(tokens, log_probs)
