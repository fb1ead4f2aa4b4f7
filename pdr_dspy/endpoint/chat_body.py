"""The body of a chat completion, checked in one place before anybody reads it: as it comes in, and out of a store.

What is meant is read (`content` as a list of text parts, an answer without its role), what can't be is a
`MalformedBody`, which costs one attempt and is not kept. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pdr_dspy.characters import whole

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_DETAILS = {"prompt_tokens_details": "cached_tokens", "completion_tokens_details": "reasoning_tokens"}
_THINKING = ("reasoning_content", "reasoning")


class MalformedBody(ValueError):
    """A body that is no chat completion; the message says where."""


def checked(body: Any, model: str | None = None) -> dict[str, Any]:
    """The completion, each part of it of the type that it should have.

    Args:
        body: Decoded JSON.
        model: Named where the body names none; None: it has to.

    Raises:
        MalformedBody: it is none.
    """
    try:
        clean = _finite(body, "the body")
    except RecursionError:
        raise MalformedBody("the body is nested too deeply") from None
    if not isinstance(clean, dict):
        raise MalformedBody(f"the body is {_kind(clean)}, not an object")
    choices = clean.get("choices")
    if not isinstance(choices, list) or not choices:
        said = clean.get("error") or clean.get("detail") or clean.get("message")
        raise MalformedBody(f"an answer without a choice{f' ({said})' if said else ''}")
    clean["choices"] = [_choice(choice) for choice in choices]
    named = clean.get("model")
    clean["model"] = model if named is None else _typed(named, str, "model")
    if clean["model"] is None:
        raise MalformedBody("model is missing")
    clean["usage"] = _usage(clean.get("usage"))
    return clean


def _choice(choice: Any) -> dict[str, Any]:
    choice = dict(_typed(choice, dict, "a choice"))
    message = dict(_typed(choice.get("message"), dict, "message"))
    if choice.get("finish_reason") is not None:
        _typed(choice["finish_reason"], str, "finish_reason")
    if message.get("role") is None:
        message["role"] = "assistant"
    _typed(message["role"], str, "role")
    if message.get("tool_calls") is not None:
        for call in _typed(message["tool_calls"], list, "tool_calls"):
            _typed(_typed(call, dict, "a tool call").get("function"), dict, "the function of a tool call")
    thinking, text = _parts(message.get("content"))
    message["content"] = text
    for name in _THINKING:
        if message.get(name) is not None:
            own, said = _parts(message[name])
            message[name] = f"{own}{said or ''}"
    if thinking and not any(message.get(name) for name in _THINKING):
        message[_THINKING[0]] = thinking
    return {**choice, "message": message}


def _parts(content: Any) -> tuple[str, str | None]:
    """(Thinking, text) of a content that may be a list of parts."""
    if content is None or isinstance(content, str):
        return "", content
    thinking, text = "", ""
    for part in _typed(content, list, "content"):
        if isinstance(part, str):
            text += part
            continue
        kind = _typed(part, dict, "a part of content").get("type", "text")
        if kind in ("thinking", "reasoning"):
            own, said = _parts(part.get(kind) or part.get("text"))
            thinking += own + (said or "")
        elif kind in ("text", "output_text"):
            text += _typed(part.get("text"), str, "the text of a part of content")
        else:
            raise MalformedBody(f"a part of content of type {kind!r}")
    return thinking, text


def _usage(usage: Any) -> dict[str, Any] | None:
    if usage is None:
        return None
    usage = dict(_typed(usage, dict, "usage"))
    for name in _COUNTS:
        if usage.get(name) is not None:
            usage[name] = _count(usage[name], f"usage.{name}")
    for name, counted in _DETAILS.items():
        if usage.get(name) is None:
            continue
        details = usage[name] = dict(_typed(usage[name], dict, f"usage.{name}"))
        if details.get(counted) is not None:
            details[counted] = _count(details[counted], f"usage.{name}.{counted}")
    return usage


def _count(value: Any, name: str) -> int:
    whole_number = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if not whole_number or value < 0:
        raise MalformedBody(f"{name} is {str(value)[:40]!r}, not a number of tokens")
    return int(value)


def _typed(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        raise MalformedBody(f"{name} is {_kind(value)}, not {_NAMES[kind]}")
    return value


def _finite(value: Any, name: str) -> Any:
    """JSON as JSON knows it: no NaN, no infinity, no half characters."""
    if isinstance(value, float) and not math.isfinite(value):
        raise MalformedBody(f"{name} is {value}, which is no JSON")
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, Mapping):
        return {whole(str(key)): _finite(kept, str(key)[:40]) for key, kept in value.items()}
    return [_finite(kept, name) for kept in value] if isinstance(value, list | tuple) else value


_NAMES: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}


def _kind(value: Any) -> str:
    if value is None:
        return "missing"
    return _NAMES.get(type(value), f"a {type(value).__name__}")
