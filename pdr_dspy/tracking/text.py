"""What may be written to a tracker: values cut at its limits, visibly, and no secrets. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pdr_dspy.secrets.credentials import STARS
from pdr_dspy.secrets.redaction import redacted

PARAM_LENGTH = 6000
TAG_LENGTH = 8000
KEY_LENGTH = 250
"""MLflow's limits, in characters."""

_SECRET_NAME = re.compile(r"api[-_ ]?key|secret|passw|authorization|credential|(?:^|[-_.])token$", re.IGNORECASE)
_ODD = re.compile(r"[^\w\-. :/]")


def cut(text: str, length: int) -> str:
    """At most `length` characters; a text that is longer ends with how long it was."""
    if len(text) <= length:
        return text
    end = f"... [cut, {len(text)} characters]"
    return text[: length - len(end)] + end


def entries(values: Mapping[str, Any], length: int) -> dict[str, str]:
    """Params or tags as they are written: names and values as text, clean and within the limits."""
    return {
        name_of(name): STARS if _SECRET_NAME.search(name) else cut(redacted(str(value)), length)
        for name, value in values.items()
    }


def name_of(name: str) -> str:
    """A name that MLflow takes for a param, a tag or a metric."""
    return cut(_ODD.sub("_", name), KEY_LENGTH)


def finite(metrics: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """(Metrics that are finite, names of those that are not)."""
    good = {name_of(name): float(value) for name, value in metrics.items() if math.isfinite(value)}
    return good, sorted(name for name, value in metrics.items() if not math.isfinite(value))


def table(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows in the form MLflow shows as a table: all columns that occur, in the order they first do."""
    kept = list(rows)
    columns = list(dict.fromkeys(name for row in kept for name in row))
    return {"columns": columns, "data": [[_plain(row.get(name)) for name in columns] for row in kept]}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
