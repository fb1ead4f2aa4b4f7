"""The body of a chat completion: one strict model, by which it is checked before anybody reads or keeps it.

As it comes in and out of a store. What is meant is read (`content` as a list of text parts, an answer without its
role), what can't be is a `MalformedBody`, which costs one attempt and is not kept. What the model does not name goes
through as it is, if it is JSON. Pure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pdr_dspy.characters import whole

DEPTH = 64
"""Objects and lists within one another that a body may have; a completion has ten."""

_THINKING = ("reasoning_content", "reasoning")


class MalformedBody(ValueError):
    """A body that is no chat completion; the message says where."""


def decoded(data: bytes | str) -> Any:
    """JSON as JSON knows it: no NaN, no infinity, no half characters, no depth without end.

    Raises:
        MalformedBody: it is not, or it is no JSON at all.
    """
    try:
        return _plain(json.loads(data), "the body")
    except RecursionError:
        raise _too_deep() from None
    except MalformedBody:
        raise
    except ValueError as error:  # UTF-8 that is none, a number of more digits than Python reads
        raise MalformedBody(f"the body is no JSON ({str(error)[:100]}): {data[:80]!r}") from None


def checked(body: Any, model: str | None = None) -> dict[str, Any]:
    """The completion, each part of it of the type that it should have.

    Args:
        body: Decoded JSON.
        model: Named where the body names none; None: it has to.

    Raises:
        MalformedBody: it is none.
    """
    clean = _plain(body, "the body")
    if not isinstance(clean, dict):
        raise MalformedBody(f"the body is {_kind(clean)}, not an object")
    if not isinstance(clean.get("choices"), list) or not clean["choices"]:
        said = clean.get("error") or clean.get("detail") or clean.get("message")
        raise MalformedBody(f"an answer without a choice{f' ({str(said)[:200]})' if said else ''}")
    if clean.get("model") is None:
        clean["model"] = model
    clean.setdefault("usage", None)
    try:
        return _Completion.model_validate(clean).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise MalformedBody(_first(error)) from None


def _parts(content: Any) -> tuple[str, str | None]:
    """(Thinking, text) of a content that may be a list of parts."""
    if content is None or isinstance(content, str):
        return "", content
    if not isinstance(content, list):
        raise ValueError("neither a text nor a list of parts")
    thinking, text = "", ""
    for part in content:
        if isinstance(part, str):
            text += part
            continue
        kind = part.get("type", "text") if isinstance(part, dict) else ""
        if kind in ("thinking", "reasoning"):
            own, said = _parts(part.get(kind) or part.get("text"))
            thinking += own + (said or "")
        elif kind in ("text", "output_text") and isinstance(part.get("text"), str):
            text += part["text"]
        else:
            raise ValueError("a part that is no text")
    return thinking, text


def _thought(value: Any) -> str:
    """The text of a thinking: a text, a part of a content, or several."""
    if isinstance(value, dict):
        return _detailed([value])
    own, said = _parts(value)
    return f"{own}{said or ''}"


def _detailed(details: Any) -> str:
    """The text of a thinking that stands in objects (`reasoning_details`), as far as there is one."""
    found = [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
    texts = [[detail.get(name) for name in ("text", "summary", "content", *_THINKING)] for detail in found]
    return "".join(next((text for text in each if isinstance(text, str)), "") for each in texts)


def _whole_number(value: Any) -> Any:
    """Some servers write a number of tokens as 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Tokens = Annotated[int, BeforeValidator(_whole_number), Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True, protected_namespaces=())


class _PromptDetails(_Part):
    cached_tokens: _Tokens | None = None


class _CompletionDetails(_Part):
    reasoning_tokens: _Tokens | None = None


class _Usage(_Part):
    prompt_tokens: _Tokens | None = None
    completion_tokens: _Tokens | None = None
    total_tokens: _Tokens | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Function(_Part):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(_Part):
    function: _Function


class _Message(_Part):
    role: str
    content: str | None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None

    @model_validator(mode="before")
    @classmethod
    def _meant(cls, message: Any) -> Any:
        if not isinstance(message, dict):
            return message
        message = {**message, "role": "assistant" if message.get("role") is None else message["role"]}
        thinking, message["content"] = _parts(message.get("content"))
        for name in _THINKING:
            if message.get(name) is not None:
                message[name] = _thought(message[name])
        thinking = thinking or _detailed(message.get("reasoning_details"))
        if thinking and not any(message.get(name) for name in _THINKING):
            message[_THINKING[0]] = thinking
        return message


class _TokenLogprob(_Part):
    token: str
    logprob: float | None = None


class _Logprobs(_Part):
    content: list[_TokenLogprob] | None = None


class _Choice(_Part):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Completion(_Part):
    model: str
    choices: list[_Choice]
    usage: _Usage | None


def _plain(value: Any, name: str, depth: int = 0) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise MalformedBody(f"{name} is {value}, which is no JSON")
    if isinstance(value, str):
        return whole(value)
    if depth > DEPTH:
        raise _too_deep()
    if isinstance(value, Mapping):
        return {whole(str(key)): _plain(kept, str(key)[:40], depth + 1) for key, kept in value.items()}
    return [_plain(kept, name, depth + 1) for kept in value] if isinstance(value, list | tuple) else value


def _too_deep() -> MalformedBody:
    return MalformedBody(f"the body is nested too deeply (more than {DEPTH} levels)")


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, in words: where, what is there, what should be."""
    found = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(step) for step in found["loc"])
    return f"{where} is {_kind(found['input'])}: {found['msg'].removeprefix('Value error, ')}"


def _kind(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool | int | float):
        return str(value)[:40]
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
    return kinds.get(type(value), f"a {type(value).__name__}")
