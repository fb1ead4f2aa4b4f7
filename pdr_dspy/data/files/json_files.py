"""JSONL files, one object a line, and JSON files: a list of objects, or an object with one such list in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pdr_dspy.data.cells import NotFinite, Number
from pdr_dspy.data.files.bytes import not_text, opened
from pdr_dspy.data.files.row import Row, Rows
from pdr_dspy.errors import DataError

_MEND = 'Write one JSON object a line: {"problem": "...", "answer": "..."}.'
_SHOWN = 8

DEPTH = 100
"""Objects and lists within one another. How deep Python's own parser reads depends on its version and on who calls, and
what goes through a value afterwards gives up earlier."""


class _Twice(ValueError):
    """A name that an object has twice."""


def parse_json(text: str) -> Any:
    """JSON, its numbers as they are spelled.

    Raises:
        ValueError: it is none, or an object has a name twice.
        RecursionError: it is nested more deeply than `DEPTH`.
    """
    found = json.loads(text, parse_float=Number, parse_int=Number, parse_constant=NotFinite, object_pairs_hook=_object)
    if text.count("[") + text.count("{") > DEPTH and _is_deep(found):
        raise RecursionError(f"more than {DEPTH} objects and lists within one another")
    return found


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH + 1):
        within = [kept for kept in level if isinstance(kept, dict | list)]
        if not within:
            return False
        level = [inner for kept in within for inner in (kept.values() if isinstance(kept, dict) else kept)]
    return True


def read_jsonl(path: Path) -> Rows:
    """The rows of a JSONL file, read line by line. Blank lines are left out.

    A file that holds one JSON list all the same is read as that.

    Raises:
        DataError: it can't be read; while reading, a line that is no JSON object, with its number.
    """
    with opened(path) as file:
        begins = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return read_json(path) if begins == b"[" else Rows(str(path), _lines(path))


def read_json(path: Path) -> Rows:
    """The rows of a JSON file; of one with an object a line, those of a JSONL file.

    Raises:
        DataError: it can't be read, or there is not exactly one list of objects in it.
    """
    with opened(path) as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise not_text(path) from None
    try:
        value = parse_json(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip()[:1] == "{" and len(text.strip().splitlines()) > 1 and _is_object(text):
            return Rows(str(path), _lines(path))
        mend = "Write a JSON list of objects." if ".json" in path.suffixes else _MEND
        raise DataError("data", f"{path} does not parse ({_reason(error)})", mend) from None
    return _within(value, path)


def _within(value: Any, path: Path) -> Rows:
    if isinstance(value, list):
        return Rows(str(path), _items(value, path))
    if not isinstance(value, dict):
        raise DataError("data", f"{path} holds a {_kind(value)}, no list of objects", "Write a JSON list of objects.")
    lists = [name for name, kept in value.items() if isinstance(kept, list) and kept and isinstance(kept[0], dict)]
    # A list of chat messages or options makes an object a problem, not a table.
    if len(lists) == 1 and not {"role", "content"} <= set(value[lists[0]][0]) and not _has_text(value):
        note = f"the problems are in the file's list {lists[0]!r}"
        return Rows(str(path), _items(value[lists[0]], path), (note,))
    if len(lists) > 1 and not _has_text(value):
        mend = "Write the one with the problems as a file of its own."
        raise DataError("data", f"{path} has several lists of objects ({', '.join(lists)})", mend)
    if value and all(isinstance(kept, dict | list) for kept in value.values()):
        mend = 'Write a list of objects, one a problem (in pandas: to_json(orient="records", lines=True)).'
        names = ", ".join([*value][:_SHOWN]) + ", ..." * (len(value) > _SHOWN)
        rows = [kept for kept in value.values() if isinstance(kept, dict) and not all(map(str.isdecimal, kept))]
        how = "holds an object for each of the names" if len(rows) == len(value) else "is written by columns"
        raise DataError("data", f"{path} {how} ({names})", mend)
    return Rows(str(path), iter([Row("line 1", value)]))


def _has_text(value: dict[str, Any]) -> bool:
    return any(isinstance(value.get(name), str) for name in ("problem", "question", "prompt"))


def _items(items: list[Any], path: Path) -> Iterator[Row]:
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            mend = "Write a JSON list of objects."
            raise DataError("data", f"{path}, item {number} is a {_kind(item)}, not an object", mend)
        yield Row(f"item {number}", item)


def _lines(path: Path) -> Iterator[Row]:
    with opened(path) as file:
        # Only "\n" ends a line: JSON strings may hold the other line separators.
        for number, raw in enumerate(file, start=1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise not_text(path) from None
            if not line.strip():
                continue
            try:
                row = parse_json(line.rstrip())  # a reason that names a column means this line's, never the next one's
            except (ValueError, RecursionError) as error:
                raise DataError("data", f"{path}, line {number} does not parse ({_reason(error)})", _MEND) from None
            if not isinstance(row, dict):
                raise DataError("data", f"{path}, line {number} is a {_kind(row)}, not an object", _MEND)
            yield Row(f"line {number}", row)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(f"the name {next(n for n in names if names.count(n) > 1)!r} comes twice in an object")
    return made


def _is_object(text: str) -> bool:
    try:
        return isinstance(parse_json(text.strip().split("\n", 1)[0]), dict)
    except (ValueError, RecursionError):
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        where = f"line {error.lineno}, " if error.lineno > 1 else ""
        return f"{error.msg}, {where}column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _kind(value: Any) -> str:
    return "number" if isinstance(value, Number | NotFinite) else type(value).__name__
