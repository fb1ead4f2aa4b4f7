"""A column by its name, or a cell within it by a path: `reward_model.ground_truth`, `choices.0.text`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pdr_dspy.data.files.json_files import parse_json

MISSING = object()
"""What `find` returns where there is nothing by that path (null is something)."""


def find(value: Any, path: str) -> Any:
    """What stands at a path. A name that has the dots itself goes before a path; text that is JSON is looked into.

    Args:
        value: A row, or what is in a cell.
        path: Names and numbers of places (from 0), separated by dots.
    """
    if isinstance(value, str):
        value = structure(value)
    if isinstance(value, Mapping):
        if path in value:
            return value[path]
        for end in _dots(path):
            if path[:end] in value:
                found = find(value[path[:end]], path[end + 1 :])
                if found is not MISSING:
                    return found
        return MISSING
    head, _, rest = path.partition(".")
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and head.isdecimal() and len(head) < 10:
        if int(head) >= len(value):
            return MISSING
        return find(value[int(head)], rest) if rest else value[int(head)]
    return MISSING


def paths(row: Mapping[str, Any], deepest: int = 3) -> list[str]:
    """The paths there are in a row, columns within columns in their place."""
    found: list[str] = []
    for name, value in row.items():
        inner = structure(value) if isinstance(value, str) else value
        if isinstance(inner, Mapping) and inner and deepest > 1:
            found += [f"{name}.{below}" for below in paths(inner, deepest - 1)]
        else:
            found.append(str(name))
    return found


def structure(text: str) -> Any:
    """What a text holds that is a JSON list or object, as tables of text have them; else the text itself."""
    stripped = text.strip()
    if not stripped or (stripped[0], stripped[-1]) not in (("{", "}"), ("[", "]")):
        return text
    try:
        return parse_json(stripped)
    except (ValueError, RecursionError):
        return text


def _dots(path: str) -> list[int]:
    return [place for place in range(len(path) - 1, 0, -1) if path[place] == "."]
