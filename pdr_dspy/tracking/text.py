"""What may be written to a tracker: values cut at its limits, visibly, and no secrets. Pure functions."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pdr_dspy.characters import whole
from pdr_dspy.secrets.credentials import STARS
from pdr_dspy.secrets.redaction import redacted

T = TypeVar("T")

PARAM_LENGTH = 6000
TAG_LENGTH = 8000
KEY_LENGTH = 250
"""The limits of MLflow's newest servers, in characters."""

_SECRET_NAME = re.compile(r"api[-_ ]?key|secret|passw|authorization|credential|(?:^|[-_.])token$", re.IGNORECASE)
_ODD = re.compile(r"[^\w\-. /]")  # a colon is for newer servers alone, and not on Windows


def cut(text: str, length: int) -> str:
    """At most `length` characters; a text that is longer ends with how long it was."""
    if len(text) <= length:
        return text
    end = f"... [cut, {len(text)} characters]"
    return text[: length - len(end)] + end


def clean(values: Mapping[str, Any]) -> dict[str, str]:
    """Params or tags as text, names and values, without secrets and whatever databases refuse; whole."""
    return {
        name: STARS if _SECRET_NAME.search(given) else written(str(value))
        for name, (given, value) in _named(values).items()
    }


def written(text: str) -> str:
    """A text as it may be written: no secrets, no half characters, no NUL."""
    return whole(redacted(text)).replace("\0", "\ufffd")


def name_of(name: str) -> str:
    """A name that MLflow takes for a param, a tag or a metric: no path that would be another one's."""
    made = _ODD.sub("_", cut(name, KEY_LENGTH))
    if made != posixpath.normpath(made) or made.startswith(("/", "..")):
        made = made.replace("/", "_")
    return "_" * max(1, len(made)) if made.strip(".") == "" else re.sub(r"^\.\.+", "__", made)


def finite(metrics: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """(Metrics that are finite, names of those that are not)."""
    numbers = {name: _number(value) for name, value in metrics.items()}
    good = _named({name: number for name, number in numbers.items() if math.isfinite(number)})
    return {name: number for name, (_, number) in good.items()}, [
        name for name, number in sorted(numbers.items()) if not math.isfinite(number)
    ]


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf


def _named(values: Mapping[str, T]) -> dict[str, tuple[str, T]]:
    """Values by the names that they are written under, each its own, with the names that they were given."""
    found: dict[str, tuple[str, T]] = {}
    for given, value in values.items():
        name, number = name_of(given), 2
        while name in found:
            name, number = f"{name_of(given)[: KEY_LENGTH - 8]}_{number}", number + 1
        found[name] = (given, value)
    return found


def table(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows in the form MLflow shows as a table: all columns that occur, in the order they first do."""
    kept = list(rows)
    columns = list(dict.fromkeys(name for row in kept for name in row))
    return {"columns": columns, "data": [[_plain(row.get(name)) for name in columns] for row in kept]}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
