"""The answer of a text that does not mark it: boxed, behind "the answer is", on the last line, the whole text. Pure."""

from __future__ import annotations

import re
from typing import Any, get_origin

from pdr_dspy.answers.boxed import last_boxed
from pdr_dspy.formats.candidates import NOTHING, Unread, readable
from pdr_dspy.formats.coerce import bare
from pdr_dspy.formats.fields import may_be_prose
from pdr_dspy.formats.marks import value_lines
from pdr_dspy.formats.phrases import first_sentence, is_check, is_placeholder, is_polite, refuses, told

_STATES = r"\b(?:is|are|was|were|equals|equal to|gives|get|has|have)"
_STATEMENT = re.compile(rf"{_STATES}\b\s*:?\s*(?P<value>[^\n]{{1,60}})\Z")
_BOLD_END = re.compile(rf"(?:{_STATES}|[=:])\s*\*\*(?P<value>[^*\n]{{1,60}})\*\*[.!]*\Z")
"""A line that ends with what it states, in bold."""
_WORDS = 6
"""More words than this behind `is` are a sentence, not a value."""
_LONGEST_LINE = 400
"""Characters of a last line that may be an answer; a longer one is a paragraph."""
_SPAN = re.compile(r"\*\*(?P<bold>[^*\n]{1,200})\*\*|\$(?P<math>[^$\n]{1,200})\$|`(?P<code>[^`\n]{1,200})`")
FENCED = re.compile(r"```[\w+-]*[ \t]*\n(.*?)\n?```", re.DOTALL)
"""A fenced block."""
_CLAUSE = re.compile(r",? (?:which|because|since|so that)\b")
_MARK_LINE = re.compile(r"\[{1,2}[ \t]*#{1,3}[ \t]*\w{1,60}[ \t]*#{1,3}[ \t]*\]{1,2}|</?\w{1,60}>|^[ \t]*```\w*[ \t]*$")
_BULLET = re.compile(r"\A\s*(?:[-*\u2022>]|\d+[.)])\s+")


def unmarked(name: str, text: str, sure: str, kind: Any, finished: bool) -> tuple[str, Any]:
    """The step that found the value of a field without a mark, and the value.

    Args:
        name: The field.
        text: What was written.
        sure: As much of it as was not cut off.
        kind: The field's type.
        finished: False where the text was cut off.

    Raises:
        Unread: there is no value of that type.
    """
    boxed = last_boxed(text)  # a box that is closed is whole
    rest = told(sure)
    steps: list[tuple[str, list[str]]] = [("boxed", [boxed] if boxed is not None else [])]
    steps.append(("answer is", _said(rest) if rest is not None else []))
    if finished and may_be_prose(name, kind):
        fences = FENCED.findall(text)
        steps = [("whole text", [fences[-1] if fences and kind is str else text])]
    elif finished and not copied(rest) and (line := _last_line(text)) is not None:
        listed = get_origin(kind) is list and len(text) <= _LONGEST_LINE
        steps.append(("last line", [text, *_line(line, kind)] if listed else _line(line, kind)))
    if rest is None and (check := told(sure, checks=True)) is not None:
        steps.append(("answer is", _said(check)))
    if refuses(text):
        steps = []
    for step, candidates in steps:
        value = readable(candidates, kind)
        if value is not NOTHING:
            return step, value
    raise Unread(f"no answer in it that can be read as {getattr(kind, '__name__', kind)}")


def copied(rest: str | None) -> bool:
    """Whether what the answer is said to be is a copy of the prompt's placeholder."""
    return rest is not None and is_placeholder(rest.strip().split("\n", 1)[0])


def _last_line(text: str) -> str | None:
    """The last line that says something: no mark, no lone label, no politeness; None where it is a paragraph."""
    for line in reversed([_MARK_LINE.sub("", each) for each in text.splitlines()]):
        bare_line = line.strip(" *_`#-")
        if bare_line and not bare_line.endswith((":", "\uff1a")) and not is_polite(line) and not is_check(line):
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
    if stated.count("`") % 2:  # of `Answer: 3`, in which the label stood inside
        stated = stated.rstrip("` ")
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
