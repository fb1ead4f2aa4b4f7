"""From the body of an answer to DSPy's response, or to the error it amounts to.

Fresh answers and replayed ones go the same way. Thinking, whether the server separated it or left it in the content, is
kept apart from what was written. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dspy.lm15 import DataPart, Message, Response, TextPart, ThinkingPart, ToolCallPart, response_from_openai_chat

from pdr_dspy.endpoint.retry import Failure
from pdr_dspy.errors import CallError, EmptyAnswer, Truncated
from pdr_dspy.written import has_thinking, parted, without_ends

OPEN, CLOSE = "<think>", "</think>"
"""The marks around a thinking, as the models know them that write it as text."""

INSTEAD = "estimated_instead_of"
"""The field of a usage that was counted here; it holds what the server had said."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of an answer.

    Attributes:
        prompt, completion, cached, thinking: As the server reported, or as they were counted instead.
        reported: Whether the server did (a prompt has at least one token), and could be believed.
        estimated: Whether they were counted here instead (see `counted`).
    """

    prompt: int
    completion: int
    cached: int | None
    thinking: int | None
    reported: bool
    estimated: bool = False


def usage_of(body: Mapping[str, Any]) -> Usage:
    """The usage of a chat completion."""
    usage = body.get("usage") or {}
    prompt, completion = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    if prompt:  # xAI's and Google's servers count thinking beside the completion, and in the total alone
        completion = max(completion, int(usage.get("total_tokens") or 0) - prompt)
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    thinking = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    estimated = INSTEAD in usage
    return Usage(prompt, completion, cached, thinking, prompt > 0 and not estimated, estimated)


def said_of(body: Mapping[str, Any]) -> Usage:
    """The usage of one answer as the server itself said it, whether it can be true or not."""
    usage = body.get("usage") or {}
    return usage_of({"usage": usage[INSTEAD]}) if isinstance(usage.get(INSTEAD), Mapping) else usage_of(body)


def finish_of(body: Mapping[str, Any]) -> str:
    """The server's finish reason, or ""."""
    choice = (body.get("choices") or [{}])[0]
    # LiteLLM says "stop" of every reason it does not know, and keeps the server's own beside it.
    native = (choice.get("provider_specific_fields") or {}).get("native_finish_reason")
    return str(native or choice.get("finish_reason") or "")


def broken_off(body: Mapping[str, Any]) -> Failure | None:
    """The failure that a half-written answer is: the server dropped the request (vLLM: `abort`, `error`)."""
    finish = finish_of(body)
    if finish not in ("abort", "error"):
        return None
    detail = f"the server broke the answer off (finish reason {finish!r})"
    return Failure("server", detail, status=200, counted=usage_of(body).completion)


def written_text(body: Mapping[str, Any]) -> str:
    """All that a model wrote for an answer: its thinking, its text, its tool calls, its refusal."""
    texts: list[str] = []
    for choice in body.get("choices") or []:
        message = choice.get("message") or {}
        thinking = [str(message.get(name) or "") for name in ("reasoning_content", "reasoning")]  # one, under two names
        moved = message.get("provider_specific_fields") or {}  # where LiteLLM puts what it does not know
        refusal = message.get("refusal") or moved.get("refusal")
        texts += [max(thinking, key=len), str(message.get("content") or ""), str(refusal or "")]
        calls = [call.get("function") for call in message.get("tool_calls") or []]
        if calls or message.get("function_call"):
            texts.append(json.dumps(calls or message["function_call"], ensure_ascii=False))
    return "".join(texts)


def response_of(body: Mapping[str, Any], fields: Collection[str] | None = None) -> Response:
    """The response, its thinking in `ThinkingPart`s and its text without it.

    Args:
        body: The completion.
        fields: Names of the output fields that were asked for; None where nobody knows (see `written`).
    """
    response = response_from_openai_chat(dict(body))
    parts: list[Any] = []
    for part in response.message.parts:
        parts.extend(_parted(part.text, fields) if isinstance(part, TextPart) else [part])
    if any(isinstance(part, ThinkingPart) for part in parts):
        # The blank lines between thinking and answer belong to neither.
        parts = [TextPart(p.text.strip()) if isinstance(p, TextPart) else p for p in parts]
    return replace(response, message=Message(role="assistant", parts=tuple(parts) or (TextPart(""),)))


def verdict(response: Response, finish: str, note: str = "") -> CallError | None:
    """The error a completion amounts to, or None where it is an answer.

    Args:
        response: The completion.
        finish: The server's finish reason.
        note: Why nothing more could be done about a thinking that reached its cap, or "".
    """
    used = response.usage.output_tokens or 0
    text = "".join(p.text for p in response.message.parts if isinstance(p, TextPart))
    if finish == "length":
        return Truncated(f"the cap was reached after {used} tokens" + (f" ({note})" if note else ""), text)
    if text.strip() or any(isinstance(p, ToolCallPart | DataPart) for p in response.message.parts):
        return None
    return EmptyAnswer(f"{used} tokens, {'all of them thinking' if thought_in(response) else 'no content'}")


def thought_in(response: Response) -> bool:
    """Whether there is a thinking in it."""
    return any(isinstance(p, ThinkingPart) and p.text.strip() for p in response.message.parts)


def _parted(text: str, fields: Collection[str] | None) -> list[TextPart | ThinkingPart]:
    found = parted(text, fields)
    if not found.thinking and not has_thinking(text, fields) and without_ends(text) == text:
        return [TextPart(text)]
    kept: list[TextPart | ThinkingPart] = [ThinkingPart(found.thinking)] if found.thinking else []
    return [*kept, TextPart(found.written)] if found.written else kept
