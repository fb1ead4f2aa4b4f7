"""From what a model wrote to the fields of a signature, when it was not written as the format asks for.

The steps, in this order; the first that gives every field decides, and is on record with the draft:

1. `marks`: the format's own marks (its own parser; not here).
2. `spelling`: other spellings of marks, of whatever format: `[## answer ##]`, the marker on the line of its value,
   `## Answer`, `**Answer:**`, `Answer: ...`, `<answer>`, a JSON object; of several the last one that can be read.
3. `boxed`: the last `\\boxed{...}`.
4. `answer is`: behind the last "the answer is".
5. `last line`: the last line, or what stands behind its `=` or `is` where it is a short statement.
6. `whole text`: of a text field that is no `answer` (`summary`, `code`): the last fenced block, else all of the text.

Steps 3 to 6 are for one value, `answer` or the only one. A refusal and a copy of the prompt's placeholder are none. A
stage whose only field is a text takes the whole text. What stands before the values is the body (the written solution).
Thinking is taken away before, in every spelling. Each step takes time linear in the text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import dspy
from dspy.adapters.utils import annotation_allows_none, apply_output_field_defaults

from pdr_dspy.answers.boxed import last_boxed
from pdr_dspy.formats.candidates import NOTHING, Unread, readable
from pdr_dspy.formats.fields import body_of, main_value, may_be_prose, values_of
from pdr_dspy.formats.marks import Section, sections, value_lines
from pdr_dspy.formats.objects import closed_string, found_object
from pdr_dspy.formats.phrases import is_placeholder, refuses, told
from pdr_dspy.formats.record import MARKS
from pdr_dspy.formats.typed import strict
from pdr_dspy.formats.unmarked import FENCED, copied, unmarked

STEPS = ("spelling", "boxed", "answer is", "last line", "whole text")
"""The lenient steps by name, in their order."""

_MARKED = 64
"""So many marks of one field, from the last on, are tried at most: a text with more of them is a loop."""


def read(signature: type[dspy.Signature], text: str, *, finished: bool = True) -> tuple[dict[str, Any], str]:
    """The fields, and the step that found them.

    Args:
        signature: Whose fields are wanted.
        text: What was written, the thinking taken away.
        finished: False where the text was cut off: then its last line is nobody's answer, and a text without an end
            is no whole text.

    Raises:
        Unread: a field can't be found; says which.
    """
    body, values = body_of(signature), values_of(signature)
    if not text.strip():
        raise Unread("nothing was written")
    if not values:
        assert body is not None
        if refuses(text):
            raise Unread("the model refused")
        return {body: whole(signature, body, text)}, MARKS
    # A line that was cut off may have half a value in it.
    sure = text if finished else text.rpartition("\n")[0]
    found = _marked(signature, values, sure)
    if not finished:
        found = {**_closed(values, text), **found}
    missing = [name for name in values if name not in found]
    step = "spelling"
    if missing:
        _defaults(signature, found, missing)
        missing = [name for name in missing if name not in found]
    if missing:
        wanted = main_value(list(values))
        if wanted is None or missing != [wanted]:
            raise Unread(f"no {' and no '.join(repr(name) for name in missing)} in it")
        if _left_empty(signature, wanted, sure):
            raise Unread(f"nothing stands behind the mark of {wanted!r}")
        step, found[wanted] = unmarked(wanted, text, sure, values[wanted], finished)
    if body is not None:
        found[body] = _body(signature, body, text)
    return {name: found[name] for name in signature.output_fields}, step


def _left_empty(signature: type[dspy.Signature], wanted: str, text: str) -> bool:
    """Whether the answer's place is marked, and nothing stands there: then another line is no answer either."""
    said = (told(text) or "").strip()
    if last_boxed(text) is not None or (said and not copied(said)):
        return False
    marked = [section.text.strip() for section in sections(text, [wanted]) if section.name == wanted]
    return any(not each or is_placeholder(each) for each in marked) or (
        text.lstrip().startswith(("{", "```json")) and found_object(text, set(_names(signature))) is not None
    )


def whole(signature: type[dspy.Signature], body: str, text: str) -> str:
    """The text of a stage whose only field is text: what stands behind its mark, else all of it."""
    return _marked_text(signature, body, text) or text.strip()


def _marked_text(signature: type[dspy.Signature], body: str, text: str) -> str:
    """What stands behind the last mark of a field of text, or in a JSON object; "" where neither is there."""
    own = [s.text.strip() for s in sections(text, _names(signature)) if s.name == body and s.text.strip()]
    if own:
        return own[-1]
    value = (found_object(text, {body}) or {}).get(body)
    return value.strip() if isinstance(value, str) else ""


def _names(signature: type[dspy.Signature]) -> list[str]:
    return list(signature.output_fields)


def _marked(signature: type[dspy.Signature], values: dict[str, Any], text: str) -> dict[str, Any]:
    """The values that stand behind a mark, the last readable one of each."""
    found: dict[str, Any] = {}
    known = sections(text, _names(signature))
    for name, kind in values.items():
        for section in [s for s in known if s.name == name][: -_MARKED - 1 : -1]:
            value = readable(_candidates(section, kind), kind)
            if value is NOTHING and not section.text.strip() and kind is not str and annotation_allows_none(kind):
                value = None  # marked, and left empty
            if value is not NOTHING:
                found[name] = value
                break
    if len(found) < len(values):
        obj = found_object(text, set(values)) or {}
        for name, kind in values.items():
            if name not in found and name in obj:
                value = _from_object(obj[name], kind)
                if value is not NOTHING:
                    found[name] = value
    return found


def _candidates(section: Section, kind: Any) -> Iterator[str]:
    """The value behind a mark: all of the section, its first paragraph, its first line."""
    text = section.text.strip()
    if section.one_line:  # `Answer: 42`, and whatever follows on other lines
        lines = value_lines(section.text, prose=may_be_prose(section.name, kind))
        yield _undecorated(lines) if kind is str and not may_be_prose(section.name, kind) else lines
        yield text.split("\n", 1)[0]
        return
    yield text
    yield text.split("\n\n", 1)[0]
    yield text.split("\n", 1)[0]


def _undecorated(text: str) -> str:
    """A short value without the end of a decoration that began before it (`**Answer: 42**`), or a fence around it."""
    if (fence := FENCED.fullmatch(text.strip())) is not None:
        return fence[1].strip()
    return text.strip().rstrip("*_`").rstrip() if text.count("**") % 2 else text


def _closed(values: dict[str, Any], text: str) -> dict[str, Any]:
    """Values of a text that was cut off which are closed nevertheless: between tags, as a string of an object."""
    found: dict[str, Any] = {}
    for name, kind in values.items():
        tags = re.findall(rf"<{re.escape(name)}>([^<]*)</{re.escape(name)}>", text)
        candidates = [c for c in (tags[-1] if tags else None, closed_string(text, name)) if c is not None]
        value = readable(candidates, kind)
        if value is not NOTHING:
            found[name] = value
    return found


def _from_object(value: Any, kind: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        return NOTHING
    try:
        return strict(value, kind)
    except (ValueError, RecursionError):
        return readable([str(value)], kind)


def _defaults(signature: type[dspy.Signature], found: dict[str, Any], missing: Sequence[str]) -> None:
    """Optional fields that were left out, as DSPy fills them."""
    if not found:
        return
    for name, value in apply_output_field_defaults(signature, found).items():
        if name in missing:
            found[name] = value


def _body(signature: type[dspy.Signature], body: str, text: str) -> str:
    """The body: what stands behind its own mark, else what stands before the values' marks, else all of it."""
    if marked := _marked_text(signature, body, text):
        return marked
    start = min((section.start for section in sections(text, _names(signature))), default=len(text))
    return text[:start].strip() or text.strip()
