"""A request's body: read within a limit, then JSON."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json
from starlette.requests import Request

from .api_errors import ApiError

_LEAST = 2**20
_BYTES_PER_TOKEN = 32  # of context: a token is seldom longer, also where JSON spells its characters as \uXXXX
_PASSED_OVER = 32
"""Times the limit: so much is read and dropped, for the client to read the refusal instead of an error."""


def most_bytes(context: int) -> int:
    """The longest body a request can need, in bytes.

    Args:
        context: The model's, in tokens.
    """
    return max(_LEAST, _BYTES_PER_TOKEN * context)


async def read(request: Request, context: int) -> bytes:
    """The body's bytes.

    Raises:
        ApiError: 413, it is longer than `most_bytes`.
    """
    most = most_bytes(context)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= most:
            parts.append(part)
        elif size > most * _PASSED_OVER:
            break
    if size > most:
        raise ApiError(
            413,
            f"The request body is longer than {most} bytes, this model's maximum context length is {context} tokens. "
            "Please reduce the length of the input prompt.",
            kind="RequestEntityTooLarge",
        )
    return b"".join(parts)


def json_of(data: bytes) -> Any:
    """The body's JSON: UTF-8, at most 200 levels deep, no NaN.

    Raises:
        ApiError: 400, it is none.
    """
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as problem:
        raise ApiError(400, f"The request body is no JSON: {problem}") from problem
