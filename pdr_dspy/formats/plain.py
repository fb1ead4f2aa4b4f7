"""`plain`: the problem as a person would ask it, the stage's inputs as labelled blocks, the values on labelled lines.

    What is 7 + 3?

    Write your solution, then the final answer.
    Give the final answer on the last line, as `Answer: ...`.

Everything stands in one user message, the problem first, so that a prefix cache shares it among the stages and a chat
template's own system prompt stays. Demonstrations are chat turns. A stage whose only output is text is asked for that
text alone; one with a list of numbers, for a line of them.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Literal, get_args, get_origin

import dspy
from dspy.adapters.base import Adapter
from dspy.adapters.utils import format_field_value, translate_field_type

from pdr_dspy.formats.coerce import optional_of
from pdr_dspy.formats.fields import body_of, label, role_of, values_of
from pdr_dspy.formats.marks import sections, value_lines
from pdr_dspy.formats.parsing import parsed
from pdr_dspy.formats.typed import strict

_HEADINGS = {"workspace": "Notes from earlier attempts (they may be wrong)", "drafts": "Drafts", "draft": "Draft"}
_WORDS_PER_TOKEN = 0.7
"""A model counts words better than tokens; English has about 0.75 a token, and a bound must hold."""


class PlainAdapter(Adapter):
    """DSPy's adapter of the format."""

    def format(
        self, signature: type[dspy.Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The messages: demonstrations, history, and one user message; no system message."""
        messages: list[dict[str, Any]] = super().format(signature, demos, inputs)
        return messages[1:]

    def format_system_message(self, signature: type[dspy.Signature]) -> str:
        """None: everything stands in the user message (the base class asks)."""
        return ""

    def format_user_message_content(
        self,
        signature: type[dspy.Signature],
        inputs: dict[str, Any],
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,
    ) -> str:
        """The inputs, then what is to be done, then the form of the answer."""
        # A context that this problem does not have is left out: a label with nothing behind it says less.
        given = {
            name: field
            for name, field in signature.input_fields.items()
            if name in inputs and (role_of(field) or not isinstance(inputs[name], str) or inputs[name])
        }
        users = [name for name, field in given.items() if not role_of(field)]
        blocks: list[str] = []
        bounds: list[str] = []
        for name, field in given.items():
            text, role = str(format_field_value(field_info=field, value=inputs[name])), role_of(field)
            if role in ("limit", "count"):
                bounds.append(_bound(role, int(inputs[name])))
            elif not role and len(users) == 1:
                blocks.append(text)
            else:
                heading = _HEADINGS.get(role, label(name))
                blocks.append(f"{heading}:\n{text}" if role or "\n" in text else f"{heading}: {text}")
        # A demonstration is told the same: its answer's form would come out of nowhere otherwise.
        told = [signature.instructions.strip(), *bounds, _form(signature)]
        blocks.append("\n".join(part for part in told if part))
        return "\n\n".join(part for part in (prefix, *blocks, suffix) if part)

    def format_assistant_message_content(
        self, signature: type[dspy.Signature], outputs: dict[str, Any], missing_field_message: str | None = None
    ) -> str:
        """An answer as it is asked for."""
        body = body_of(signature)
        parts: list[str] = []
        if body is not None:
            parts.append(str(outputs.get(body) or ""))
        # What a demonstration lacks is left out: the model would learn to write that it is missing.
        given = [name for name in values_of(signature) if outputs.get(name) is not None]
        lines = [f"{label(name)}: {_written(signature.output_fields[name], outputs[name])}" for name in given]
        return "\n\n".join(part for part in (*parts, "\n".join(lines)) if part)

    def format_conversation_history(
        self, signature: type[dspy.Signature], history_field_name: str, inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Earlier turns as they were: what was asked and answered, without the stage's instruction.

        Always in pairs, for chat templates that want a user's and an assistant's turn one after the other.
        """
        history = inputs.pop(history_field_name, None)
        turns: list[dict[str, Any]] = []
        for message in history.messages if history is not None else ():
            asked = {name: value for name, value in message.items() if name in signature.input_fields}
            said = {name: value for name, value in message.items() if name not in asked and value is not None}
            if asked and said:
                turns.append({"role": "user", "content": _told(asked)})
                turns.append({"role": "assistant", "content": _told(said)})
        return turns

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """The fields.

        Raises:
            AdapterParseError: one of them can't be found.
        """
        return parsed(signature, completion, _own, type(self).__name__)


def _told(fields: dict[str, Any]) -> str:
    """Fields as a person writes them; the only one without its name."""
    if len(fields) == 1:
        return str(next(iter(fields.values())))
    return "\n\n".join(f"{label(name)}: {value}" for name, value in fields.items())


def _own(signature: type[dspy.Signature], text: str) -> dict[str, Any]:
    """The fields by the format's own marks: each value behind its label, at the beginning of a line.

    Raises:
        ValueError: one is missing, or is not of its type.
    """
    body, values = body_of(signature), values_of(signature)
    if not values:
        assert body is not None
        if sections(text, [body]):
            raise ValueError("it has marks of another format")
        return {body: text.strip()}
    found: dict[str, Any] = {}
    begins = len(text)
    for name, kind in values.items():
        pattern = rf"^(?:Final )?{re.escape(label(name))}:[ \t]*(?=\S)"
        marks = list(re.finditer(pattern, text, re.MULTILINE | re.IGNORECASE))
        if not marks:
            raise ValueError(f"no line begins with {label(name)}:")
        behind = value_lines(
            text[marks[-1].end() :], [label(n) for n in values], prose=kind is str and name != "answer"
        )
        found[name] = strict(behind, kind)
        begins = min(begins, marks[-1].start())
    if body is not None:
        found[body] = text[:begins].strip() or text.strip()
    return {name: found[name] for name in signature.output_fields}


def _bound(role: str, number: int) -> str:
    if role == "limit":
        return f"Write at most {max(1, int(number * _WORDS_PER_TOKEN))} words."
    return f"Choose the best {number}." if number > 1 else "Choose the best one."


def _form(signature: type[dspy.Signature]) -> str:
    """What the end of the answer is to look like."""
    values = values_of(signature)
    hints = {name: _hint(name, signature.output_fields[name]) for name in values}
    if not values:
        return ""
    if len(values) > 1:
        lead = "Reply with these lines:" if body_of(signature) is None else "End with these lines:"
        return "\n".join([lead, *(f"{label(name)}: {hints[name] or '...'}" for name in values)])
    (name,) = values
    form = f"as `{label(name)}: ...`{f' {hints[name]}' if hints[name] else ''}."
    if body_of(signature) is None:
        return f"Reply with one line, {form}"
    what = "final answer" if name == "answer" else name.replace("_", " ")
    return f"Give the {what} on the last line, {form}"


def _hint(name: str, field: Any) -> str:
    """What the value must be, in brackets; "" where nothing is said of it."""
    extra = field.json_schema_extra or {}
    described = str(extra.get("desc") or "")
    told = "" if described == f"${{{name}}}" else described
    kind = "" if role_of(field) == "picks" else _kind(name, field)
    hints = [part for part in (told, kind, str(extra.get("constraints") or "")) if part]
    return f"({'; '.join(hints)})" if hints else ""


def _kind(name: str, field: Any) -> str:
    """A type in words."""
    if (inner := optional_of(field.annotation)) is not None and inner in _KINDS:
        return f"{_KINDS[inner] or 'a text'}, or None"
    if (simple := _KINDS.get(field.annotation)) is not None:
        return simple
    if get_origin(field.annotation) is Literal:
        return f"one of: {', '.join(map(str, get_args(field.annotation)))}"
    _, _, told = translate_field_type(name, field).partition("# note: the value you produce must ")
    return told.removeprefix("be ").replace("adhere to the JSON schema:", "JSON of this schema:")


_KINDS: dict[Any, str] = {
    str: "", int: "a whole number", float: "a number", bool: "True or False", date: "a date, as 2024-05-01",
    list[int]: "a JSON list of whole numbers", list[float]: "a JSON list of numbers", list[str]: "a JSON list of texts",
}  # fmt: skip


def _written(field: Any, value: Any) -> str:
    """A value as it is asked for."""
    if role_of(field) == "picks" and isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(format_field_value(field_info=field, value=value))
