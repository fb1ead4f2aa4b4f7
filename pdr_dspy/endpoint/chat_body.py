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
from pdr_dspy.endpoint.chat_parts import THINKING, detailed, said_in, scored_in, thought_in

DEPTH = 64
"""Objects and lists within one another that a body may have; a completion has ten."""

_AS_SENT = "_as_sent"
"""Behind the name of a field that could not be read, and need not be: what the server had sent there."""

_NEVER = -9999.0  # a log-probability of minus infinity, as vLLM writes it


class MalformedBody(ValueError):
    """A body that is no chat completion; the message says where."""


def decoded(data: bytes | str) -> Any:
    """JSON as JSON knows it: no NaN, no infinity, no half characters, no depth without end.

    What is nested more deeply than `DEPTH` is kept as its text.

    Raises:
        MalformedBody: it is not, or it is no JSON at all.
    """
    try:
        return _plain(json.loads(data), "the body", cut=True)
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


def _whole_number(value: Any) -> Any:
    """Some servers write a number of tokens as 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _named(value: Any) -> Any:
    """Some servers write a number instead of a name."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


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
        message = {**message}
        if message.get("role") not in (None, "assistant"):
            message[f"role{_AS_SENT}"] = message["role"]
        message["role"] = "assistant"
        if not isinstance(message.get("tool_calls"), list | None) and not message["tool_calls"]:
            message[f"tool_calls{_AS_SENT}"] = message.pop("tool_calls")
        said = said_in(message.get("content"))
        if said.left_out:
            message[f"content{_AS_SENT}"] = message["content"]
        message["content"] = said.text
        if said.refusal and not message.get("refusal"):
            message["refusal"] = said.refusal
        for name in THINKING:
            if message.get(name) is not None:
                message[name] = thought_in(message[name])
        thinking = said.thinking or detailed(message.get("reasoning_details"))
        if thinking and not any(message.get(name) for name in THINKING):
            message[THINKING[0]] = thinking
        return message


class _Choice(_Part):
    message: _Message
    finish_reason: Annotated[str, BeforeValidator(_named)] | None = None
    logprobs: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _meant(cls, choice: Any) -> Any:
        if not isinstance(choice, dict) or choice.get("logprobs") is None:
            return choice
        read = scored_in(choice["logprobs"])
        return {**choice, "logprobs": read, **({f"logprobs{_AS_SENT}": choice["logprobs"]} if read is None else {})}


class _Completion(_Part):
    model: Annotated[str, BeforeValidator(_named)]
    choices: list[_Choice]
    usage: _Usage | None


def _plain(value: Any, name: str, depth: int = 0, *, cut: bool = False) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        if name == "logprob" and value < 0:
            return _NEVER
        raise MalformedBody(f"{name} is {value}, which is no JSON")
    if isinstance(value, str):
        return whole(value)
    if depth > DEPTH:
        if cut and isinstance(value, dict | list):
            return json.dumps(value)
        raise _too_deep()
    if isinstance(value, Mapping):
        return {whole(str(key)): _plain(kept, str(key)[:40], depth + 1, cut=cut) for key, kept in value.items()}
    return [_plain(kept, name, depth + 1, cut=cut) for kept in value] if isinstance(value, list | tuple) else value


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
