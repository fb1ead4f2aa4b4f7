"""What may be written to a tracker: values cut at its limits, visibly, and no secrets. Pure functions."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

PARAM_LENGTH = 6000
TAG_LENGTH = 8000
KEY_LENGTH = 250
"""MLflow's limits, in characters."""

SECRET_VARIABLES = (
    "PDR_API_KEY",
    "PDR_PROPOSER_API_KEY",
    "PDR_EMBEDDED_API_KEY",
    "VLLM_API_KEY",
    "OPENAI_API_KEY",
    "HOSTED_VLLM_API_KEY",
    "HF_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "PGPASSWORD",
)
"""Environment variables whose values are hidden wherever they turn up."""

HIDDEN = "(hidden)"
_SHORTEST = 8  # shorter ones (`EMPTY`, `none`) are no secrets, and hiding them would spoil ordinary text

_SECRET_NAME = re.compile(r"api[-_ ]?key|secret|passw|authorization|credential|(?:^|[-_.])token$", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@]+@")
_KEY_LIKE = re.compile(r"\b(?:sk|hf|ghp)[-_][A-Za-z0-9_-]{16,}|(?<=Bearer )\S+")
_ODD = re.compile(r"[^\w\-. :/]")


def without_secrets(text: str) -> str:
    """The text with API keys of the environment, credentials in addresses and the like hidden."""
    for name in SECRET_VARIABLES:
        value = os.environ.get(name, "").strip()  # a file leaves a line's end behind it
        if len(value) >= _SHORTEST:
            text = text.replace(value, HIDDEN)
    return _KEY_LIKE.sub(HIDDEN, _USER_INFO.sub(f"{HIDDEN}@", text))


def cut(text: str, length: int) -> str:
    """At most `length` characters; a text that is longer ends with how long it was."""
    if len(text) <= length:
        return text
    end = f"... [cut, {len(text)} characters]"
    return text[: length - len(end)] + end


def entries(values: Mapping[str, Any], length: int) -> dict[str, str]:
    """Params or tags as they are written: names and values as text, clean and within the limits."""
    return {
        name_of(name): HIDDEN if _SECRET_NAME.search(name) else cut(without_secrets(str(value)), length)
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
