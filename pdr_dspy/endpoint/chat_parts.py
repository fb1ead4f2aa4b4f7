"""What a message says, whichever way a server writes it: a text, a list of parts, a thinking in an object. Pure.

A part that has no text takes nothing from those that have one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

THINKING = ("reasoning_content", "reasoning")
"""The fields of a message that a thinking may be in."""

_TEXTLESS = ("reference", "redacted_thinking")
_THOUGHT, _WRITTEN = ("thinking", "reasoning"), ("text", "output_text")


@dataclass(frozen=True, slots=True)
class Said:
    """What the content of a message says.

    Attributes:
        thinking: Its thinking, or "".
        text: Its text; None where there is none.
        refusal: Its refusal, or "".
        left_out: Whether there are parts without any of these.
    """

    thinking: str = ""
    text: str | None = None
    refusal: str = ""
    left_out: bool = False


def said_in(content: Any) -> Said:
    """What a content says that may be a part or a list of parts.

    Raises:
        ValueError: it is neither a text nor such a list, or none of its parts has anything to read.
    """
    if content is None or isinstance(content, str):
        return Said(text=content)
    if isinstance(content, dict) and "type" in content:
        content = [content]
    if not isinstance(content, list):
        raise ValueError("neither a text nor a list of parts")
    thinking, text, refusal, known, unknown = "", "", "", not content, False
    for part in content:
        if isinstance(part, str):
            part = {"type": "text", "text": part}
        kind = part.get("type", "text") if isinstance(part, dict) else ""
        if kind in _THOUGHT:
            thinking += thought_in(part.get(kind) or part.get("text"))
            known = True
        elif kind in _WRITTEN and isinstance(part.get("text"), str):
            text += part["text"]
            known = True
        elif kind == "refusal" and isinstance(part.get("refusal"), str):
            refusal += part["refusal"]
            known = True
        else:
            unknown = True
            known |= kind in _TEXTLESS
    if not known:
        raise ValueError("a part that is no text")
    return Said(thinking, text, refusal, unknown)


def thought_in(value: Any) -> str:
    """The text of a thinking: a text, parts of a content, or an object.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, dict):
        return detailed([value])
    said = said_in(value)
    return f"{said.thinking}{said.text or ''}"


def detailed(details: Any) -> str:
    """The text of a thinking that stands in objects (`reasoning_details`), as far as there is one."""
    found = [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
    texts = [[detail.get(name) for name in ("text", "summary", "content", *THINKING)] for detail in found]
    return "".join(next((text for text in each if isinstance(text, str)), "") for each in texts)


def scored_in(logprobs: Any) -> dict[str, Any] | None:
    """Log-probabilities as LiteLLM reads them, or None where they are none: nobody else does."""
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not all(map(_is_scored, tokens)):
        return None
    return {
        **logprobs,
        "content": [{"bytes": None, **token, "top_logprobs": token.get("top_logprobs") or []} for token in tokens],
    }


def _is_scored(token: Any) -> bool:
    if not isinstance(token, dict) or not isinstance(token.get("token"), str):
        return False
    others = token.get("top_logprobs") or []
    score = token.get("logprob")
    return isinstance(score, int | float) and isinstance(others, list) and all(map(_is_scored, others))
