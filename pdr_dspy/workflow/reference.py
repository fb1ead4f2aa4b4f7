"""The tables of `docs/workflows.md`, made of the schema: every field with its type, unit, default, range and meaning.

    python -m pdr_dspy.workflow.reference docs/workflows.md      # makes the page's tables anew

A table stands between `<!-- fields of NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pdr_dspy.workflow.json_schema import workflow_schema

HEAD = "| field | type | unit | default | range | what it does |\n|---|---|---|---|---|---|"
_PLACE = re.compile(r"<!-- fields of (\w+) -->\n.*?<!-- end -->", re.DOTALL)
_TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}


def models() -> dict[str, Mapping[str, Any]]:
    """The schema of every mapping of the grammar, by the name of its model."""
    schema = workflow_schema()
    return {"Workflow": schema, **schema["$defs"]}


def table(name: str) -> str:
    """A model's fields as a table in Markdown.

    Args:
        name: The model's.
    """
    model = models()[name]
    return "\n".join([HEAD, *(_row(field, model) for field in model["properties"])])


def renewed(page: str) -> str:
    """A page with its tables made anew."""
    return _PLACE.sub(lambda found: f"<!-- fields of {found[1]} -->\n{table(found[1])}\n<!-- end -->", page)


def tables_of(page: str) -> list[str]:
    """The names of the models whose fields a page has tables of."""
    return _PLACE.findall(page)


def _row(field: str, model: Mapping[str, Any]) -> str:
    of = model["properties"][field]
    kinds = _kinds(of)
    default = "required" if field in model.get("required", ()) else _written(of["default"]) if "default" in of else ""
    ranges = "; ".join(text for kind in kinds if (text := _range(kind)))
    cells = (f"`{field}`", " or ".join(map(_type, kinds)), of.get("unit", ""), default, ranges, of["description"])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _kinds(of: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a field may be, one after another; null, which is the same as absent, left out."""
    within = of.get("anyOf") or of.get("oneOf")
    if within is None:
        return [of] if of.get("type") != "null" else []
    return [kind for each in within for kind in _kinds(each)]


def _type(of: Mapping[str, Any]) -> str:
    if "$ref" in of:
        name = of["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in of:
        return _written(of["const"])
    if "enum" in of:
        # YAML reads a bare on and off as true and false.
        return ", ".join(_written(value) for value in of["enum"] if not isinstance(value, bool))
    if of["type"] == "array":
        return f"list of {_type(of['items'])}"
    return _TYPES[of["type"]]


def _range(of: Mapping[str, Any]) -> str:
    said = [
        f"{sign} {of[key]:,g}" if isinstance(of[key], float) else f"{sign} {of[key]:,}"
        for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if key in of
    ]
    for fewest, most, unit in (("minItems", "maxItems", "entries"), ("minLength", "maxLength", "characters")):
        if fewest in of or most in of:
            said.append(f"{of.get(fewest, 0)} to {of[most]} {unit}" if most in of else f"≥ {of[fewest]} {unit}")
    return ", ".join(said)


def _written(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
