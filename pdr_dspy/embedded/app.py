"""The HTTP face: routes, response bodies, server-sent events, clients that hang up. A thin Starlette app."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .. import __version__
from .generation import Choice, Generation
from .protocol import ApiError, ChatRequest, Detokenize, TokenizeChat, TokenizeText, parse
from .service import Service
from .transcript import Delta

_LEAST = -9999.0  # as vLLM: JSON has no minus infinity


def build_app(service: Service) -> Starlette:
    """The ASGI app around a service."""
    created = int(time.time())

    async def chat(request: Request) -> Response:
        asked = parse(ChatRequest, await _json(request))
        generation = service.generation(asked)
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": service.name}
        if asked.stream:
            return StreamingResponse(_events(generation, asked, head), media_type="text/event-stream")
        body = await _unless_gone(request, _whole(generation, asked, head, service.token_text))
        return Response(status_code=499) if body is None else JSONResponse(body)

    async def models(_: Request) -> Response:
        card = {
            "id": service.name,
            "object": "model",
            "created": created,
            "owned_by": "pdr-dspy",
            "root": service.model.revision,
            "parent": None,
            "max_model_len": service.model.context,
            "pdr": dict(service.model.card),
        }
        return JSONResponse({"object": "list", "data": [card]})

    async def tokenize(request: Request) -> Response:
        body = await _json(request)
        asked: TokenizeText | TokenizeChat
        if isinstance(body, dict) and "messages" in body:
            asked = parse(TokenizeChat, body)
            service.check_model(asked.model)
            ids = list(service.prompt(asked).ids)
        else:
            asked = parse(TokenizeText, body)
            service.check_model(asked.model)
            ids = service.tokenizer.encode(asked.prompt, asked.add_special_tokens)
        strings = [service.token_text(i) for i in ids]
        return JSONResponse(
            {
                "count": len(ids),
                "max_model_len": service.model.context,
                "tokens": ids,
                "token_strs": strings if asked.return_token_strs else None,
            }
        )

    async def detokenize(request: Request) -> Response:
        asked = parse(Detokenize, await _json(request))
        service.check_model(asked.model)
        return JSONResponse({"prompt": service.tokenizer.decode(asked.tokens, skip_special_tokens=False)})

    async def health(_: Request) -> Response:
        return Response(status_code=200 if service.engine.alive else 503)

    async def metrics(_: Request) -> Response:
        engine = service.engine
        text = service.metrics.render(engine.running, engine.in_flight - engine.running)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def version(_: Request) -> Response:
        return JSONResponse({"version": __version__, "engine": service.engine.version})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/models", models),
            Route("/tokenize", tokenize, methods=["POST"]),
            Route("/detokenize", detokenize, methods=["POST"]),
            Route("/health", health),
            Route("/metrics", metrics),
            Route("/version", version),
        ],
        exception_handlers={ApiError: _api_error},
    )


async def _api_error(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, ApiError)
    return JSONResponse(problem.body(), status_code=problem.status)


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError as problem:
        raise ApiError(400, f"The request body is no JSON: {problem}") from problem


async def _unless_gone(request: Request, work: Any) -> dict[str, Any] | None:
    """Wait for the work, or drop it (None) when the client hangs up first."""

    async def hang_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(hang_up())
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, watching):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ApiError):
                await task


async def _whole(
    generation: Generation, asked: ChatRequest, head: dict[str, Any], decode: Callable[[int], str]
) -> dict[str, Any]:
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


async def _events(generation: Generation, asked: ChatRequest, head: dict[str, Any]) -> AsyncIterator[str]:
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
