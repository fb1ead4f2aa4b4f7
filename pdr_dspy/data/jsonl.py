"""JSONL files: one JSON object a line, blank lines aside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pdr_dspy.data.problem import Problem
from pdr_dspy.data.rows import Columns, problems_from
from pdr_dspy.errors import DataError


def read_jsonl(path: Path, columns: Columns) -> list[Problem]:
    """The problems of a JSONL file.

    Raises:
        DataError: no such file, a line that is no JSON object (with its number), or rows that don't fit `columns`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError("data", f"there is no file {path}", "Give the path of a JSONL file.") from None
    except UnicodeDecodeError as error:
        mend = "Save it as UTF-8 text, one JSON object a line."
        raise DataError("data", f"{path} is not UTF-8 text (byte {error.start})", mend) from None
    except OSError as error:
        raise DataError("data", f"{path} can't be read ({error.strerror})", "Give a file that can be read.") from None
    return problems_from(_rows(text, path), columns, str(path))


def _rows(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    mend = 'Write one JSON object a line: {"problem": "...", "answer": "..."}.'
    # Only "\n" ends a line: JSON strings may hold the other line separators that splitlines() knows.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise DataError("data", f"{path}, line {number} does not parse ({reason})", mend) from None
        if not isinstance(row, dict):
            raise DataError("data", f"{path}, line {number} is a {type(row).__name__}, not an object", mend)
        yield f"line {number}", row
