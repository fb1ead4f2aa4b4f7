"""Prompts that are chat messages, as the text they ask: what the user says, below what the system says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pdr_dspy.data.cells import as_text
from pdr_dspy.data.columns.paths import structure

_SPEAKERS = {"human": "user", "gpt": "assistant", "developer": "system", "model": "assistant"}
_SHOWN = {"user": "User", "assistant": "Assistant"}


class Unshowable(ValueError):
    """A message that can't be shown as text."""


@dataclass(frozen=True)
class Chat:
    """A conversation as text.

    Attributes:
        text: What a model is to read.
        system: Whether a system message is in it.
        turns: Whether an assistant's earlier turns are in it.
        dropped: Whether the assistant's last message, which would be the answer, was left out.
    """

    text: str
    system: bool = False
    turns: bool = False
    dropped: bool = False


def chat(value: Any) -> Chat | None:
    """The conversation in a cell, or None where there is none.

    Raises:
        Unshowable: it has an image or a sound, a role that nobody knows, or nothing that a user says.
    """
    found = structure(value) if isinstance(value, str) and value.lstrip().startswith("[{") else value
    messages = _messages(found)
    if messages is None:
        return None
    dropped = False
    while messages and messages[-1][0] == "assistant":
        messages, dropped = messages[:-1], True
    system = [text for role, text in messages if role == "system" and text.strip()]
    said = [(role, text) for role, text in messages if role != "system"]
    unknown = sorted({role for role, _ in said} - set(_SHOWN))
    if unknown:
        raise Unshowable(f"a message has the role {unknown[0]!r}")
    if not any(role == "user" and text.strip() for role, text in said):
        raise Unshowable("no message of the chat is the user's")
    turns = any(role == "assistant" for role, _ in said)
    parts = [f"{_SHOWN[role]}: {text}" if turns else text for role, text in said]
    return Chat("\n\n".join([*system, *parts]), bool(system), turns, dropped)


def _messages(value: Any) -> list[tuple[str, str]] | None:
    if not isinstance(value, list) or not value or not all(isinstance(each, Mapping) for each in value):
        return None
    for role, content in (("role", "content"), ("from", "value")):
        if all(isinstance(each.get(role), str) and content in each for each in value):
            return [(_SPEAKERS.get(each[role].lower(), each[role].lower()), _text(each[content])) for each in value]
    return None


def _text(content: Any) -> str:
    if content is None:
        return ""
    if not isinstance(content, list):
        return as_text(content)
    parts = []
    for part in content:
        if isinstance(part, Mapping) and isinstance(part.get("text"), str):
            parts.append(part["text"])
        elif isinstance(part, str):
            parts.append(part)
        else:
            kind = part.get("type", "part") if isinstance(part, Mapping) else type(part).__name__
            raise Unshowable(f"a message has a part that is no text ({kind})")
    return "\n".join(parts)
