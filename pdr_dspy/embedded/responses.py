"""The bodies of chat responses: whole ones and server-sent events."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from .api_errors import ApiError, internal
from .generation import Choice, Generation
from .protocol import ChatRequest
from .transcript import Delta

_LEAST = -9999.0  # as vLLM: JSON has no minus infinity
_LOG = logging.getLogger(__name__)


async def whole(
    generation: Generation, asked: ChatRequest, head: dict[str, Any], decode: Callable[[int], str]
) -> dict[str, Any]:
    """The body of a whole response, once every choice has ended.

    Raises:
        ApiError: The engine failed.
    """
    texts = {choice.index: ("", "") for choice in generation.choices}
    try:
        generation.start()
        async for choice, delta in generation.deltas():
            reasoning, content = texts[choice.index]
            texts[choice.index] = (reasoning + delta.reasoning, content + delta.content)
    finally:
        generation.close()
    choices = []
    for choice in generation.choices:
        reasoning, content = texts[choice.index]
        message = {"role": "assistant", "content": content if content or not reasoning else None}
        shown = reasoning if asked.include_reasoning and reasoning else None
        choices.append(
            {
                "index": choice.index,
                "message": {**message, "reasoning_content": shown, "reasoning": shown},
                "logprobs": {"content": _scored(choice, decode)} if asked.logprobs else None,
                "finish_reason": choice.transcript.finish,
                "stop_reason": choice.transcript.stop_reason,
                **({"token_ids": choice.tokens} if asked.return_token_ids else {}),
            }
        )
    prompt = {"prompt_token_ids": list(generation.prompt)} if asked.return_token_ids else {}
    return {**head, "object": "chat.completion", "choices": choices, "usage": generation.usage(), **prompt}


def _scored(choice: Choice, decode: Callable[[int], str]) -> list[dict[str, Any]]:
    texts = [decode(token) for token in choice.tokens]
    return [
        {"token": text, "logprob": max(logprob, _LEAST), "bytes": list(text.encode()), "top_logprobs": []}
        for text, logprob in zip(texts, choice.logprobs, strict=True)
    ]


async def events(generation: Generation, asked: ChatRequest, head: dict[str, Any]) -> AsyncIterator[str]:
    """The events of a streamed response, `[DONE]` included; a failure is an event of its own."""
    options = asked.stream_options
    head = {**head, "object": "chat.completion.chunk"}
    running = {"usage": None} if options and options.include_usage else {}

    def chunk(choices: list[dict[str, Any]], **more: Any) -> str:
        return _event({**head, "choices": choices, **running, **more})

    try:
        generation.start()
        for choice in generation.choices:
            yield chunk([_piece(choice, {"role": "assistant", "content": ""})])
        async for choice, delta in generation.deltas():
            pieces = list(_pieces(choice, delta, asked.include_reasoning))
            if options and options.continuous_usage_stats:
                for piece in pieces:
                    yield chunk([piece], usage=generation.usage())
            else:
                for piece in pieces:
                    yield chunk([piece])
        if options and options.include_usage:
            yield chunk([], usage=generation.usage())
    except ApiError as problem:
        yield _event(problem.body())
    except Exception as problem:
        _LOG.exception("streaming a response")
        yield _event(internal(f"the server failed: {type(problem).__name__}").body())
    finally:
        generation.close()
    yield "data: [DONE]\n\n"


def _pieces(choice: Choice, delta: Delta, reasoning: bool) -> Iterator[dict[str, Any]]:
    if delta.reasoning and reasoning:
        yield _piece(choice, {"reasoning_content": delta.reasoning, "reasoning": delta.reasoning})
    if delta.content:
        yield _piece(choice, {"content": delta.content})
    if delta.last:
        last = {"finish_reason": choice.transcript.finish, "stop_reason": choice.transcript.stop_reason}
        yield {**_piece(choice, {}), **last}


def _piece(choice: Choice, delta: dict[str, Any]) -> dict[str, Any]:
    return {"index": choice.index, "delta": delta, "logprobs": None, "finish_reason": None}


def _event(body: dict[str, Any]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"
