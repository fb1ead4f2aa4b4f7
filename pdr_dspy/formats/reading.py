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
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_origin

import dspy
from dspy.adapters.utils import annotation_allows_none, apply_output_field_defaults

from pdr_dspy.answers.boxed import last_boxed
from pdr_dspy.formats.coerce import bare, lenient, strict
from pdr_dspy.formats.fields import body_of, main_value, may_be_prose, values_of
from pdr_dspy.formats.marks import Section, sections, value_lines
from pdr_dspy.formats.objects import closed_string, found_object
from pdr_dspy.formats.phrases import first_sentence, is_placeholder, is_polite, refuses, told
from pdr_dspy.formats.record import MARKS

STEPS = ("spelling", "boxed", "answer is", "last line", "whole text")
"""The lenient steps by name, in their order."""

_STATEMENT = re.compile(r"\b(?:is|are|was|were|equals|equal to|gives|get|has|have)\b\s*:?\s*(?P<value>[^\n]{1,60})\Z")
_BOLD_END = re.compile(
    r"(?:\b(?:is|are|was|were|equals|equal to|gives|get|has|have)|[=:])\s*\*\*(?P<value>[^*\n]{1,60})\*\*[.!]*\Z"
)
"""A line that ends with what it states, in bold."""
_WORDS = 6
"""More words than this behind `is` are a sentence, not a value."""
_LONGEST_LINE = 400
"""Characters of a last line that may be an answer; a longer one is a paragraph."""
_SPAN = re.compile(r"\*\*(?P<bold>[^*\n]{1,200})\*\*|\$(?P<math>[^$\n]{1,200})\$|`(?P<code>[^`\n]{1,200})`")
_FENCED = re.compile(r"```[\w+-]*[ \t]*\n(.*?)\n?```", re.DOTALL)
_CLAUSE = re.compile(r",? (?:which|because|since|so that)\b")
_MARK_LINE = re.compile(r"\[{1,2}[ \t]*#{1,3}[ \t]*\w{1,60}[ \t]*#{1,3}[ \t]*\]{1,2}|</?\w{1,60}>|^[ \t]*```\w*[ \t]*$")
_BULLET = re.compile(r"\A\s*(?:[-*\u2022>]|\d+[.)])\s+")


class Unread(ValueError):
    """A text that lacks a field of its signature, or has something else in its place."""


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
        step, found[wanted] = _unmarked(wanted, text, sure, values[wanted], finished)
    if body is not None:
        found[body] = _body(signature, body, text)
    return {name: found[name] for name in signature.output_fields}, step


def _left_empty(signature: type[dspy.Signature], wanted: str, text: str) -> bool:
    """Whether the answer's place is marked, and nothing stands there: then another line is no answer either."""
    said = (told(text) or "").strip()
    if last_boxed(text) is not None or (said and not is_placeholder(said.split("\n", 1)[0])):
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
        for section in reversed([s for s in known if s.name == name]):
            value = _readable(_candidates(section, kind), kind)
            if value is _NOTHING and not section.text.strip() and kind is not str and annotation_allows_none(kind):
                value = None  # marked, and left empty
            if value is not _NOTHING:
                found[name] = value
                break
    if len(found) < len(values):
        obj = found_object(text, set(values)) or {}
        for name, kind in values.items():
            if name not in found and name in obj:
                value = _from_object(obj[name], kind)
                if value is not _NOTHING:
                    found[name] = value
    return found


_NOTHING = object()


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
    if (fence := _FENCED.fullmatch(text.strip())) is not None:
        return fence[1].strip()
    return text.strip().rstrip("*_`").rstrip() if text.count("**") % 2 else text


def _closed(values: dict[str, Any], text: str) -> dict[str, Any]:
    """Values of a text that was cut off which are closed nevertheless: between tags, as a string of an object."""
    found: dict[str, Any] = {}
    for name, kind in values.items():
        tags = re.findall(rf"<{re.escape(name)}>([^<]*)</{re.escape(name)}>", text)
        candidates = [c for c in (tags[-1] if tags else None, closed_string(text, name)) if c is not None]
        value = _readable(candidates, kind)
        if value is not _NOTHING:
            found[name] = value
    return found


def _readable(candidates: Iterable[str], kind: Any) -> Any:
    for candidate in candidates:
        if not candidate.strip() or is_placeholder(candidate) or refuses(candidate):
            continue
        try:
            return lenient(candidate, kind)
        except (ValueError, RecursionError):
            continue
    return _NOTHING


def _from_object(value: Any, kind: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        return _NOTHING
    try:
        return strict(value, kind)
    except (ValueError, RecursionError):
        return _readable([str(value)], kind)


def _defaults(signature: type[dspy.Signature], found: dict[str, Any], missing: Sequence[str]) -> None:
    """Optional fields that were left out, as DSPy fills them."""
    if not found:
        return
    for name, value in apply_output_field_defaults(signature, found).items():
        if name in missing:
            found[name] = value


def _unmarked(name: str, text: str, sure: str, kind: Any, finished: bool) -> tuple[str, Any]:
    boxed = last_boxed(text)  # a box that is closed is whole
    rest = told(sure)
    steps: list[tuple[str, list[str]]] = [("boxed", [boxed] if boxed is not None else [])]
    steps.append(("answer is", _said(rest) if rest is not None else []))
    if finished and may_be_prose(name, kind):
        fences = _FENCED.findall(text)
        steps = [("whole text", [fences[-1] if fences and kind is str else text])]
    elif finished and (line := _last_line(text)) is not None:
        listed = get_origin(kind) is list and len(text) <= _LONGEST_LINE
        steps.append(("last line", [text, *_line(line, kind)] if listed else _line(line, kind)))
    if refuses(text):
        steps = []
    for step, candidates in steps:
        value = _readable(candidates, kind)
        if value is not _NOTHING:
            return step, value
    raise Unread(f"no answer in it that can be read as {getattr(kind, '__name__', kind)}")


def _last_line(text: str) -> str | None:
    """The last line that says something: no mark, no lone label, no politeness; None where it is a paragraph."""
    for line in reversed([_MARK_LINE.sub("", each) for each in text.splitlines()]):
        bare_line = line.strip(" *_`#-")
        if bare_line and not bare_line.endswith((":", "\uff1a")) and not is_polite(line):
            return line if len(line) <= _LONGEST_LINE and not refuses(line) else None
    return None


def _said(rest: str) -> list[str]:
    """What "the answer is" is followed by: a bold, boxed or displayed value, else the first sentence."""
    value = value_lines(rest)
    span = _SPAN.match(value)
    if span is not None:
        return [bare(span["bold"] or span["math"] or span["code"]), bare(value)]
    first = first_sentence(value)
    first = _CLAUSE.split(first, maxsplit=1)[0]
    stated = (
        _after_statement(first) if re.match(r"(?:The|It|This|My|His|Her|There|In)\b", first) else _after_equals(first)
    )
    return [bare(stated.strip("*_ ")), bare(value)]


def _line(line: str, kind: Any) -> list[str]:
    """What the last line may say: all of it for a type that finds its own value, what it states for a text."""
    line = _BULLET.sub("", line).strip()
    if (ending := _BOLD_END.search(line)) is not None and kind is str:
        return [bare(ending["value"])]
    line = line.strip("*_ ")
    stated = bare(_after_statement(line.rstrip(".!")))
    return [stated] if kind is str else [line, stated]


def _after_statement(text: str) -> str:
    """`2 + 3 = 5` says 5, `The capital is Lima` says Lima; a longer statement says itself."""
    if (right := _after_equals(text)) != text:
        return right
    found = _STATEMENT.search(text)
    if found and len(found["value"].split()) <= _WORDS:
        return _after_statement(found["value"]) if found["value"] != text else text
    return text


def _after_equals(text: str) -> str:
    """What a chain of equations comes to; several equations, or a comparison, are no chain."""
    _, equals, right = text.rpartition("=")
    several = text.count("=") > 1 and re.search(r"\b(?:or|and)\b|[,;]", text)
    compared = re.search(r"[<>!=\u2264\u2265:]=", text)
    if not equals or not right.strip() or several or compared or len(right.split()) > _WORDS:
        return text
    return right.strip()


def _body(signature: type[dspy.Signature], body: str, text: str) -> str:
    """The body: what stands behind its own mark, else what stands before the values' marks, else all of it."""
    if marked := _marked_text(signature, body, text):
        return marked
    start = min((section.start for section in sections(text, _names(signature))), default=len(text))
    return text[:start].strip() or text.strip()
