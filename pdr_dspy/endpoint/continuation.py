"""A thinking that was stopped at its cap, closed and carried on: the second request, and the two answers made one.

The first request ends at the cap on thinking. Its text becomes the beginning of the assistant's message, `</think>` is
put behind it where it was still open, and a second request continues that message (`continue_final_message`) with the
tokens that are left. A server with a reasoning parser takes the marks out of the text, and a chat template may have
written the opening one itself: both are put back. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pdr_dspy.endpoint.completion import CLOSE, INSTEAD, OPEN, finish_of, usage_of
from pdr_dspy.endpoint.requests import THINKING_FIELD
from pdr_dspy.endpoint.store import StoredCompletion
from pdr_dspy.workspace import Tokenizer
from pdr_dspy.written import written

MARGIN = 32
"""Tokens of thinking above the cap that a server which keeps to it may still report: vLLM can be told to close the
thinking with a phrase (`reasoning_end_str`), whose tokens count as thinking."""

MARKS = 4
"""Tokens that the marks around a thinking and the line breaks beside them take at most."""

_ONCE = frozenset(
    {
        "continue_final_message", "tools", "logprobs", "response_format", "structured_outputs", "guided_json",
        "guided_regex", "guided_choice", "guided_grammar",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PartialAnswer:
    """How far an unfinished completion has come.

    Attributes:
        text: The assistant's message so far, its marks put back.
        thinking: `open` (still thinking), `closed` (its answer has begun), or `unmarked`: no mark was seen.
        restored: Whether the opening mark had to be put back without having been seen anywhere.
    """

    text: str
    thinking: Literal["open", "closed", "unmarked"]
    restored: bool = False


def continuable(body: Mapping[str, Any]) -> bool:
    """Whether an answer to this request can be had in two parts.

    What a grammar, a tool or log-probabilities are asked for can't be put together again, and a message that is
    continued already is the caller's own.
    """
    return not any(body.get(name) for name in _ONCE)


def second_prompt(prompt: int, kept: int) -> int:
    """Tokens the second prompt is taken to have at most.

    Above the first one and what was generated these are the closing mark, and what it costs where a text is cut into
    other tokens when it is read than when it was written (16, and 3 % of it).
    """
    return prompt + kept + 16 + kept // 32


def first_cap(thinking: int, answer: int | None, total: int | None) -> int:
    """Tokens the first request may generate.

    Args:
        thinking: The cap on thinking.
        answer: The cap on what follows; None where the call states none.
        total: Both caps together as they fit beside the prompt; None without a cap. Where they do not fit the
            thinking gives way, down to half of what there is.
    """
    if total is None:
        return max(1, thinking)
    kept = min(max(0, total - thinking) if answer is None else answer, total // 2)
    return max(1, min(thinking, total - kept))


def partial_answer(body: Mapping[str, Any], opening: str | None) -> PartialAnswer:
    """How far a completion has come.

    Args:
        body: The completion.
        opening: What the chat template opens every thinking with at the end of the prompt, or None where it does not.
    """
    # Half a character at the cut is shown as a replacement mark: it is left to the second request.
    reasoning, content = (text.rstrip("\ufffd") for text in _texts(body))
    if reasoning:
        head = (opening or OPEN) + reasoning
        begun = bool(content.strip())
        return PartialAnswer(head + CLOSE + content if begun else head, "closed" if begun else "open", opening is None)
    before, closed, _ = content.partition(CLOSE)
    if OPEN not in before:
        if opening is None and not closed:
            return PartialAnswer(content, "unmarked")
        content = (opening or OPEN) + content  # the template wrote it
    return PartialAnswer(content, "closed" if closed else "open")


def cut_back(partial: PartialAnswer, tokens: int, generated: int, tokenizer: Tokenizer, exact: bool) -> PartialAnswer:
    """An open thinking that went beyond its cap, as it stood at the cap.

    Args:
        partial: The thinking.
        tokens: The cap.
        generated: Tokens it has.
        tokenizer: The model's.
        exact: Whether it is the model's; else the text is cut in proportion.
    """
    head, mark, thinking = partial.text.partition(OPEN)
    kept = tokenizer.cut(thinking, tokens) if exact else thinking[: len(thinking) * tokens // max(generated, 1)]
    return PartialAnswer(head + mark + kept, "open", partial.restored)


def spellings(partial: PartialAnswer) -> tuple[str, ...]:
    """The message to be continued, closed; as the model seems to write it, then with the marks on lines of their own.

    A template that takes a message apart and sets it together again (Qwen3) has one spelling, and refuses to continue
    a message spelled otherwise; a parser may have taken away what would have told.
    """
    if partial.thinking == "unmarked":
        return (partial.text,)
    head, _, rest = partial.text.partition(OPEN)
    thinking, _, answer = rest.partition(CLOSE)
    lines = f"{head}{OPEN}\n{thinking.strip()}\n{CLOSE}" + (f"\n\n{answer.lstrip()}" if answer.strip() else "")
    if partial.thinking == "closed":
        own = partial.text
    elif thinking.startswith("\n"):
        own = f"{partial.text.rstrip()}\n{CLOSE}"
    else:
        own = partial.text + CLOSE
    return (own,) if own == lines else (own, lines)


def continued(body: Mapping[str, Any], text: str, left: int | None) -> dict[str, Any]:
    """The second request.

    Args:
        body: The first one.
        text: The message so far.
        left: Tokens it may generate; None for no cap.
    """
    second = {name: value for name, value in body.items() if name not in (THINKING_FIELD, "max_tokens")}
    second["messages"] = [*body["messages"], {"role": "assistant", "content": text}]
    second |= {"continue_final_message": True, "add_generation_prompt": False}
    if left is not None:
        second["max_tokens"] = left
    if body.get("seed") is not None:
        # Not the same one: it would draw the same numbers over again.
        digest = hashlib.sha256(f"{body['seed']}/continued".encode()).digest()
        second["seed"] = int.from_bytes(digest[:4], "big") & 0x7FFFFFFF
    return second


def joined(first: StoredCompletion, second: StoredCompletion, text: str) -> StoredCompletion:
    """Both answers as one completion: what was written, at the price of both.

    Args:
        first, second: The two answers.
        text: What the second one continued.
    """
    # A parser that saw no closing mark in the second answer took all of it for thinking; but that was closed before.
    reasoning, content = _texts(second.body)
    rest = f"{reasoning}{CLOSE}{content}" if reasoning and content else reasoning or content
    (choice, *_) = second.body["choices"]
    body = {
        **second.body,
        "choices": [{**choice, "message": {"role": "assistant", "content": text + rest}}],
        "usage": _usage(first.body, second.body),
    }
    return StoredCompletion(
        body=body,
        seconds=first.seconds + second.seconds,
        first_token_seconds=first.first_token_seconds,
        started=first.started,
        max_tokens=first.max_tokens + second.max_tokens,
        replica=second.replica,
    )


def left_out(first: StoredCompletion, second: StoredCompletion, kept: int) -> bool:
    """Whether the chat template left the thinking out of the second prompt (many do so with earlier thinking).

    Args:
        first, second: The two answers.
        kept: Tokens of the first one that the second one was to continue.
    """
    before, after = usage_of(first.body), usage_of(second.body)
    return before.reported and after.reported and after.prompt < before.prompt + kept // 2


def still_thinking(body: Mapping[str, Any], opening: str | None) -> bool:
    """Whether a completion was cut before its thinking was closed (`opening` as in `standing`)."""
    return finish_of(body) == "length" and partial_answer(body, opening).thinking == "open"


def thought(body: Mapping[str, Any], tokenizer: Tokenizer) -> int:
    """Thinking tokens of a completion: as the server says, else what the answer leaves of all it generated.

    Marks and the end token are counted in (`MARGIN` covers them). With a tokenizer that counts too many, too few.
    """
    usage, partial = usage_of(body), partial_answer(body, None)
    if usage.thinking:
        return usage.thinking
    if partial.thinking == "unmarked":
        return 0
    return usage.completion - tokenizer.count(written(partial.text))


def _texts(body: Mapping[str, Any]) -> tuple[str, str]:
    message = body["choices"][0].get("message") or {}
    return message.get("reasoning_content") or message.get("reasoning") or "", message.get("content") or ""


def _usage(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any] | None:
    parts = [usage_of(first), usage_of(second)]
    if not all(part.reported or part.estimated for part in parts):
        return None  # half a price would look like a whole one
    prompt, completion = sum(p.prompt for p in parts), sum(p.completion for p in parts)
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if any(p.cached is not None for p in parts):
        usage["prompt_tokens_details"] = {"cached_tokens": sum(p.cached or 0 for p in parts)}
    if any(p.thinking is not None for p in parts):
        usage["completion_tokens_details"] = {"reasoning_tokens": sum(p.thinking or 0 for p in parts)}
    if any(p.estimated for p in parts):
        usage[INSTEAD] = [first.get("usage"), second.get("usage")]
    return usage
