"""From a checked request to a generation: prompt, context check, sampling and seeds, one job for each choice."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from .api_errors import ApiError, context_overflow, unknown_model
from .chat import SHORT, ChatTokenizer, TemplateError
from .engine import Engine
from .generation import Choice, Generation, next_job_id
from .jobs import GREEDY_BELOW, Job, Sampling, ThinkingCap
from .metrics import Metrics
from .model import ModelFiles
from .protocol import ChatRequest, PromptFields
from .thinking import ThinkingState
from .transcript import Transcript

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered, tokenised prompt.

    Attributes:
        ids: Token ids.
        inside_thinking: Whether the completion starts inside the thinking.
    """

    ids: tuple[int, ...]
    inside_thinking: bool


class Service:
    """What the routes need: the served model, its tokenizer, the engine and the counters.

    Args:
        name: Name the model is served under.
        model: Its files.
        tokenizer: Its tokenizer.
        engine: Where it runs.
        split_thinking: Whether thinking goes to its own field of a message.
    """

    def __init__(
        self, name: str, model: ModelFiles, tokenizer: ChatTokenizer, engine: Engine, split_thinking: bool
    ) -> None:
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.engine = engine
        self.metrics = Metrics(name)
        # One: what is left of the machine is the engine's, and long prompts wait for each other alone.
        self._long = ThreadPoolExecutor(1, "pdr-tokenizer")
        self._think = tokenizer.think_tokens
        self._split = split_thinking and self._think is not None

    def check_model(self, name: str | None) -> None:
        """Raise the 404 for a model that is not served here (no name means the one there is)."""
        if name is not None and name != self.name:
            raise unknown_model(name)

    def token_text(self, token: int) -> str:
        """A token's text by itself."""
        return self.tokenizer.decode([token], skip_special_tokens=False)

    def text_of(self, ids: Sequence[int]) -> str:
        """The text of token ids, special ones included. Raises `ApiError`."""
        if (unknown := self.tokenizer.first_unknown(ids)) is not None:
            raise ApiError(400, f"tokens: {unknown} is no token id of this model.", "tokens")
        return self.tokenizer.decode(ids, skip_special_tokens=False)

    async def aside(self, work: Callable[[], T], size: int) -> T:
        """Do work on a text: at once where it is short, else in a thread, where it keeps nobody waiting.

        Args:
            work: Renders and tokenises.
            size: Bytes of the request; nothing in it is longer.
        """
        if size <= SHORT:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._long, work)

    def prompt(self, request: PromptFields, asked: int | None = None) -> Prompt:
        """Render and tokenise a request's messages.

        Args:
            request: The messages.
            asked: Tokens that are to follow; None: the prompt may be longer than the context.

        Raises:
            ApiError: The template refuses them, or there are too many for the context.
        """
        messages = [message.model_dump() for message in request.messages]
        variables = _template_kwargs(request.chat_template_kwargs)
        try:
            text = self.tokenizer.render(
                messages,
                add_generation_prompt=request.add_generation_prompt,
                continue_final_message=request.continue_final_message,
                **variables,
            )
            inside = self.tokenizer.ends_inside_thinking(text, messages, **variables)
        except TemplateError as problem:
            raise ApiError(400, f"messages: {problem}", "messages") from problem
        if asked is not None and (least := self.tokenizer.least_tokens(text)) > self.model.context:
            raise context_overflow(self.model.context, least, asked)
        ids = tuple(self.tokenizer.encode(text, request.add_special_tokens))
        if not ids:
            raise ApiError(400, "messages: the chat template makes an empty prompt of them.", "messages")
        return Prompt(ids, inside)

    async def generation(self, request: ChatRequest, size: int) -> Generation:
        """Prepare a request's choices (not started yet).

        Args:
            request: What is asked.
            size: Bytes of it.

        Raises:
            ApiError: It can't be done.
        """
        self.check_model(request.model)
        if request.logprobs and not self.engine.logprobs:
            raise ApiError(400, "logprobs: this server's engine does not tell those of what it samples.", "logprobs")
        asked = request.max_completion_tokens or request.max_tokens or 1
        prompt = await self.aside(partial(self.prompt, request, asked), size)
        max_tokens = self._max_tokens(request, len(prompt.ids))
        sampling = self._sampling(request)
        stop_ids = frozenset(request.stop_token_ids or ()) | (frozenset() if request.ignore_eos else self.model.end_ids)
        cap = self._cap(request, prompt)
        choices = []
        for index in range(request.n):
            job = Job(
                id=next_job_id(),
                prompt=prompt.ids,
                sampling=replace(sampling, seed=sampling.seed + index),
                max_tokens=max_tokens,
                stop_ids=stop_ids,
                cap=cap,
                # A stop string must be seen at once, or the sequence would run on unseen.
                eager=request.stream or bool(request.stops),
            )
            thinking = ThinkingState(self._think, prompt.inside_thinking) if self._split and self._think else None
            transcript = Transcript(
                self.tokenizer, thinking, request.stops, request.include_stop_str_in_output, stop_ids
            )
            choices.append(Choice(index, job, transcript))
        return Generation(self.engine, self.metrics, prompt.ids, choices)

    def _max_tokens(self, request: ChatRequest, prompt_tokens: int) -> int:
        asked = request.max_completion_tokens or request.max_tokens
        room = self.model.context - prompt_tokens
        if room < 1 or (asked is not None and asked > room):
            raise context_overflow(self.model.context, prompt_tokens, asked or 1)
        return asked or room

    def _sampling(self, request: ChatRequest) -> Sampling:
        defaults = self.model.defaults

        def pick(field: str, fallback: float) -> float:
            given = getattr(request, field)
            return float(defaults.get(field, fallback) if given is None else given)

        temperature = pick("temperature", 1.0)
        sampling = Sampling(
            temperature=0.0 if temperature < GREEDY_BELOW else temperature,
            top_p=pick("top_p", 1.0),
            top_k=max(int(pick("top_k", 0)), 0),
            min_p=pick("min_p", 0.0),
            seed=secrets.randbits(32) if request.seed is None else request.seed,
            repetition_penalty=pick("repetition_penalty", 1.0),
            presence_penalty=pick("presence_penalty", 0.0),
            frequency_penalty=pick("frequency_penalty", 0.0),
        )
        if sampling.temperature == 0 and request.n > 1:
            raise ApiError(400, f"n must be 1 when using greedy sampling, got {request.n}.", "n")
        return sampling

    def _cap(self, request: ChatRequest, prompt: Prompt) -> ThinkingCap | None:
        if request.thinking_token_budget is None or request.thinking_token_budget < 0:
            return None
        if self._think is None:
            raise ApiError(
                400, "thinking_token_budget: the served model has no thinking tokens.", "thinking_token_budget"
            )
        return ThinkingCap(self._think, request.thinking_token_budget, prompt.inside_thinking)


def _template_kwargs(given: Mapping[str, Any]) -> dict[str, Any]:
    # The two ends of a prompt have their own fields; a template variable of that name must not pass them by.
    return {k: v for k, v in given.items() if k not in ("add_generation_prompt", "continue_final_message", "messages")}
