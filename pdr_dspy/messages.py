"""The messages of a prompt in one form, whichever DSPy made it: what its adapters give changes from 3.4 to 3.5.

Up to 3.4 `Adapter.format` gives a list of dicts in the form of OpenAI's API; from 3.5 on an object with `system` and
`messages`, which are lm15's (a role and parts). Nothing else here looks into a prompt.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import dspy
from dspy.adapters.base import Adapter


def formatted(
    adapter: Adapter, signature: type[dspy.Signature], demos: Any, inputs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What an adapter would send for a call, as messages (`messages_of`).

    Args:
        adapter: DSPy's or one of ours.
        signature: What is asked.
        demos: Demonstrations.
        inputs: The input fields.
    """
    with dspy.context(callbacks=[]):  # nobody is called: tracers would take it for a call's
        return messages_of(adapter.format(signature, demos, dict(inputs)))


def messages_of(prompt: Any) -> list[dict[str, Any]]:
    """The messages of a prompt: dicts with `role` and `content`, a text or a list of parts as in OpenAI's API.

    Of media the kind is kept, not what they hold.

    Raises:
        TypeError: it is no prompt of a DSPy that is known here.
    """
    if isinstance(prompt, list | tuple):
        return [_message(message) for message in prompt]
    if not hasattr(prompt, "messages"):
        raise TypeError(f"{type(prompt).__name__} is no prompt of a DSPy that is known here (3.4 or 3.5)")
    system = getattr(prompt, "system", None)
    head = [{"role": "system", "content": _content(system)}] if system else []
    return head + [_message(message) for message in prompt.messages]


def _message(message: Any) -> dict[str, Any]:
    if isinstance(message, Mapping):
        return dict(message)
    parts = getattr(message, "parts", None)
    content = getattr(message, "content", "") if parts is None else parts
    return {"role": str(message.role), "content": _content(content)}


def _content(content: Any) -> Any:
    """A text, or parts; parts that are all texts are one text, as they are sent."""
    if content is None or isinstance(content, str):
        return content or ""
    given = content if isinstance(content, Iterable) and not isinstance(content, Mapping) else [content]
    parts = [_part(part) for part in given]
    if all(part.get("type") == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, Mapping):
        return dict(part)
    if isinstance(part, str):
        return {"type": "text", "text": part}
    kind, text = str(getattr(part, "type", "data")), getattr(part, "text", None)
    if isinstance(text, str):
        return {"type": "text", "text": text}
    if kind in ("image", "audio"):
        return {"type": kind}
    if kind in ("video", "document", "binary"):
        return {"type": "file"}
    return {"type": "text", "text": json.dumps(getattr(part, "data", None) or str(part), default=str)}
