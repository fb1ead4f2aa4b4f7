"""`--config FILE`: options of a search or a run from a YAML file; what the command line says as well goes before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pdr_dspy.errors import InputError
from pdr_dspy.workflow.yaml_io import file_text, marked_yaml


def read_config(path: Path) -> dict[str, Any]:
    """The options of a YAML file: a mapping from names (`max-latency` or `max_latency`) to values.

    Raises:
        InputError: it can't be read, is no mapping, or names one option twice.
    """
    data = marked_yaml(file_text(path), str(path), "options").data
    if not isinstance(data, dict):
        raise InputError("--config", f"{path} holds no options", "Write a line for each, such as `budget: tokens=16k`")
    found: dict[str, Any] = {}
    for key, value in data.items():
        name = str(key).removeprefix("--").replace("-", "_")
        if name in found:
            raise InputError(f"{name} in {path}", "it stands twice", "Keep one of the two")
        found[name] = value
    return found
