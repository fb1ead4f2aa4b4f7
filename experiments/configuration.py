"""Configurations as YAML files: found by name or path, checked by a pydantic model, complaints with the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from pdr_dspy.errors import InputError
from pdr_dspy.workflow.complaints import field
from pdr_dspy.workflow.marks import line_of, read

M = TypeVar("M", bound=BaseModel)


class ConfigError(InputError):
    """A configuration that can't be read, or that can't be run as it says."""


def as_tuple(value: Any) -> Any:
    """A list, as YAML has them, as a tuple; everything else stays for the strict check to refuse."""
    return tuple(value) if isinstance(value, list) else value


def known_in(folder: Path) -> list[str]:
    """Names of the configurations in a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find(name: str, folder: Path) -> tuple[str, str]:
    """A configuration's text and file name, by its name in a folder or by a path that ends in `.yaml`.

    Raises:
        ConfigError: there is none.
    """
    named = not name.endswith((".yaml", ".yml"))
    path = folder / f"{name}.yaml" if named else Path(name)
    try:
        return path.read_text(encoding="utf-8"), path.name
    except (OSError, UnicodeDecodeError):
        mend = f"Use one of {', '.join(known_in(folder))}, or the path of a YAML file"
        raise ConfigError("--config", f"{name!r} can't be read", mend) from None


def parse(model: type[M], text: str, source: str, example: str) -> M:
    """A configuration from YAML text.

    Args:
        model: What it has to be.
        text: The YAML.
        source: Its file name.
        example: A file that has every key.

    Raises:
        ConfigError: it is no YAML, or can't be run as it says.
    """
    try:
        marked = read(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        detail = " ".join(str(error).split())
        raise ConfigError(source, f"it is not YAML that can be read ({detail})", "Mend it") from None
    if twice := marked.twice:
        where = f"{field(twice.path)} ({source}, line {twice.second})"
        raise ConfigError(where, f"the key stands on line {twice.first} already", "Keep one of the two")
    try:
        return model.model_validate(marked.data)
    except ConfigError as error:
        raise ConfigError(f"{error.field} ({source})", error.problem, error.mend) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # Pydantic's "[key]", and our tags of one of several models, are nowhere in the file.
        path = tuple(p for p in first["loc"] if not (isinstance(p, str) and p.startswith("[")))
        problem = {"missing": "it is missing", "extra_forbidden": "unknown key"}.get(first["type"], first["msg"])
        where = f"{field(path) if path else 'configuration'} ({source}, line {line_of(marked.root, path)})"
        raise ConfigError(where, problem, f"{example} has every key") from None
