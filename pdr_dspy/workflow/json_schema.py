"""The JSON Schema of workflow files, by which editors complete and check them (`python -m` this module prints it).

It is made of the models, with the catalogue's ids where an instruction is named. What holds between fields (a quorum is
at most the width) is beyond it; `parse_workflow` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pdr_dspy.prompts import catalogue
from pdr_dspy.workflow.complaints import DISTILLERS
from pdr_dspy.workflow.prompting import PROMPTED
from pdr_dspy.workflow.schema import Workflow

DIALECT = "https://json-schema.org/draft/2020-12/schema"

FILE = "workflow.schema.json"
"""What it is called beside the presets; each of them names it in its first line."""

LINE = f"# yaml-language-server: $schema={FILE}"
"""The comment by which an editor finds it."""


def workflow_schema() -> dict[str, Any]:
    """The schema. Each field has its description and, where it counts something, its unit."""
    made = Workflow.model_json_schema()
    for model in _models(made):
        # The first paragraph; what follows it speaks of Python.
        model["description"] = " ".join(model.get("description", "").split("\n\n")[0].split())
        for field in model["properties"].values():
            field.pop("title", None)
            if isinstance(field.get("default"), dict) or field.get("default", "") is None:
                del field["default"]  # absent
    for distiller in DISTILLERS.values():
        model = made["$defs"][distiller.__name__]
        del model["properties"]["kind"]["default"]  # it is what names the model
        model["required"] = ["kind", *model.get("required", ())]
    made["$defs"]["Round"]["properties"]["distill"]["anyOf"][0].pop("discriminator")
    for stage in PROMPTED:
        prompt = made["$defs"]["Prompts"]["properties"][stage]
        prompt["oneOf"] = [{"enum": list(catalogue(stage))}, prompt["oneOf"][1]]
    return {"$schema": DIALECT, **made, "title": "Workflow of pdr-dspy"}


def dumped() -> str:
    """The schema as the text of its file."""
    return json.dumps(workflow_schema(), indent=2, ensure_ascii=False) + "\n"


def _models(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield made
    yield from made["$defs"].values()


if __name__ == "__main__":
    print(dumped(), end="")
