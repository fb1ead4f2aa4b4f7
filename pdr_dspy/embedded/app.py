"""The HTTP face: routes, request bodies, clients that hang up. A thin Starlette app."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .. import __version__
from .access import DEFAULT_ACCESS, Access, App, guarded, refusal
from .api_errors import ApiError, internal, of_status
from .body import json_of, read
from .protocol import ChatRequest, Detokenize, TokenizeChat, TokenizeText, parse
from .responses import events, whole
from .service import Service

_LOG = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


def build_app(service: Service, access: Access = DEFAULT_ACCESS) -> App:
    """The ASGI app around a service, for those whom `access` lets in."""
    context = service.model.context
    created = int(time.time())

    async def chat(request: Request) -> Response:
        data = await read(request, context)
        asked = parse(ChatRequest, json_of(data))
        generation = await service.generation(asked, len(data))
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": service.name}
        if asked.stream:
            return StreamingResponse(events(generation, asked, head), media_type="text/event-stream")
        body = await _unless_gone(request, whole(generation, asked, head, service.token_text))
        return Response(status_code=499) if body is None else JSONResponse(body)

    def card() -> dict[str, Any]:
        return {
            "id": service.name,
            "object": "model",
            "created": created,
            "owned_by": "pdr-dspy",
            "root": service.model.revision,
            "parent": None,
            "max_model_len": service.model.context,
            "pdr": dict(service.model.card),
        }

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [card()]})

    async def model(request: Request) -> Response:
        if not (name := request.path_params["name"]):
            return await models(request)
        service.check_model(name)
        return JSONResponse(card())

    async def tokenize(request: Request) -> Response:
        data = await read(request, context)
        body = json_of(data)
        asked: TokenizeText | TokenizeChat
        if isinstance(body, dict) and "messages" in body:
            asked = parse(TokenizeChat, body)
            service.check_model(asked.model)
            ids = list((await service.aside(partial(service.prompt, asked), len(data))).ids)
        else:
            asked = parse(TokenizeText, body)
            service.check_model(asked.model)
            encode = partial(service.tokenizer.encode, asked.prompt, asked.add_special_tokens)
            ids = await service.aside(encode, len(data))
        return JSONResponse(
            {
                "count": len(ids),
                "max_model_len": service.model.context,
                "tokens": ids,
                "token_strs": [service.token_text(i) for i in ids] if asked.return_token_strs else None,
            }
        )

    async def detokenize(request: Request) -> Response:
        asked = parse(Detokenize, json_of(await read(request, context)))
        service.check_model(asked.model)
        return JSONResponse({"prompt": service.text_of(asked.tokens)})

    async def health(_: Request) -> Response:
        return Response(status_code=200 if service.engine.alive else 503)

    async def metrics(_: Request) -> Response:
        engine = service.engine
        text = service.metrics.render(engine.running, engine.in_flight - engine.running)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def version(_: Request) -> Response:
        return JSONResponse({"version": __version__, "engine": service.engine.version})

    app = Starlette(
        routes=[
            Route(path, _answering(handler), methods=[method])
            for path, method, handler in (
                ("/v1/chat/completions", "POST", chat),
                ("/v1/models", "GET", models),
                ("/v1/models/{name:path}", "GET", model),  # a name may have slashes
                ("/tokenize", "POST", tokenize),
                ("/detokenize", "POST", detokenize),
                ("/health", "GET", health),
                ("/metrics", "GET", metrics),
                ("/version", "GET", version),
            )
        ],
        exception_handlers={HTTPException: _no_route},
    )
    return guarded(app, access)


def _answering(handler: Handler) -> Handler:
    """The handler, whose every failure is an answer to its own request."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as problem:
            return refusal(problem)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as problem:
            _LOG.exception("%s %s", request.method, request.url.path)
            return refusal(internal(f"the server failed on this request: {type(problem).__name__}"))

    return answer


async def _no_route(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    body = of_status(problem.status_code, f"{request.method} {request.url.path[:200]}: {problem.detail}").body()
    return JSONResponse(body, status_code=problem.status_code, headers=problem.headers)


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
