"""The part that a text marks as its answer: a box, an `<answer>` tag, a JSON object's `answer`. Linear; pure."""

from __future__ import annotations

import json
import re

from pdr_dspy.answers.boxed import Box, boxes, last_open
from pdr_dspy.answers.fences import fenced
from pdr_dspy.answers.symbols import characters, commands
from pdr_dspy.answers.units import unit

LONGEST = 2000
"""Characters of what may be an answer; a longer text is compared as it stands."""
_BOXES = 400
_TAG = re.compile(
    r"<(answer|final_answer|result|output|response)>|</(answer|final_answer|result|output|response)>", re.IGNORECASE
)
_JSON_NAMES = ("answer", "final_answer", "final answer", "result", "value", "solution", "choice", "option")
_BETWEEN = re.compile(
    r"[\s$.]*(?:(,|;|\band\b|\bor\b|\\text ?\{ ?(?:and|or),? ?\}|\\q?quad|\\[()\[\] ,;])[\s$.]*)*", re.IGNORECASE
)
_OR_BEHIND = re.compile(r"\s*(?:\$|\\[)\]])?,?\s*(?:\\text ?\{ ?)?or\b", re.IGNORECASE)
_TAIL = re.compile(r"(?:\$|\\[)\]]|\s)*((?:\\text|\\mathrm)?\s?\{?[A-Za-z%°\\^/ \t0-9{}]{1,40})")


def tagged(text: str) -> str | None:
    """What stands in the last `<answer>`, or under the answer's name in a JSON object."""
    start = end = None
    for tag in _TAG.finditer(text):
        if tag[1]:
            start, end = tag.end(), None
        elif start is not None and end is None:
            end = tag.start()
    if start is not None and text[start:end].strip():
        return text[start:end]
    bare = text.strip()
    if (block := fenced(bare)) is not None:
        bare = block.strip()
    if bare.startswith("{") and bare.endswith("}") and '"' in bare and len(bare) <= 10 * LONGEST:
        try:
            value = json.loads(bare, parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            return None
        names = [name for name in value if name.casefold() in _JSON_NAMES] if isinstance(value, dict) else []
        if len(names) == 1 and isinstance(value[names[0]], str | list):
            inner = value[names[0]]
            return inner if isinstance(inner, str) else ", ".join(map(str, inner))
    return None


def boxed(text: str) -> str | None:
    """What the last boxes say, with the sign before them and the unit behind them; None where there is no box."""
    closed = boxes(text)
    if not closed:
        opened = last_open(text)
        return opened.strip().rstrip("$") if opened is not None else None
    run: list[Box] = [closed[-1]]
    for box in reversed(closed[:-1]):
        between = text[box.end : run[0].start]
        if len(run) > _BOXES or len(between) > 60 or not (separated := _BETWEEN.fullmatch(between)):
            break
        if not separated[1] and box.content.strip() == run[0].content.strip():
            continue
        run.insert(0, box)
    part = ", ".join(box.content for box in run)
    first, last = run[0], run[-1]
    before, behind = text[max(0, first.start - 12) : first.start], text[last.end : last.end + 60]
    if re.search(r"(?:^|[\s=$(])-\Z", before):
        part = f"-{part}"
    if re.search(r"\bnot\s+\$?\Z", before):
        part = f"not {part}"
    if _OR_BEHIND.match(behind):
        return part + " " + text[last.end :]
    if len(run) == 1 and (tail := _TAIL.match(behind)) and (measure := _unit_behind(tail[1])):
        part = f"{part} \\text{{{measure}}}"
    return part


def _unit_behind(tail: str) -> str:
    inner = commands(characters(tail)).strip(" {}")
    found = unit(inner)
    return inner if found is not None and found.dimension and not found.names else ""
