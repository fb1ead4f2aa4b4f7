"""The JSON Schema that editors use and the grammar's reference are what the models say."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from pydantic import BaseModel

from pdr_dspy.workflow import Instruction, Pick, Prompts, Round, Sampling, Workflow, parse_workflow, plain_workflow
from pdr_dspy.workflow.complaints import DISTILLERS
from pdr_dspy.workflow.json_schema import FILE, LINE, dumped, workflow_schema
from pdr_dspy.workflow.reference import models, renewed, table, tables_of
from tests.workflow.strategies import workflows

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "programs"
PRESETS = sorted(path.name for path in PROGRAMS.glob("*.yaml"))
PAGE = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model for model in (Workflow, Round, Pick, Prompts, Instruction, Sampling, *DISTILLERS.values())
}
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def problems(data: Any, schema: Mapping[str, Any] | None = None) -> list[str]:
    """What the schema finds wrong with plain data."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(schema or workflow_schema())
    return [error.message for error in validator.iter_errors(data)]


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = (PROGRAMS / FILE).read_text(encoding="utf-8")
    assert committed == dumped(), "make schema"
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(json.loads(committed))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_names_the_schema_and_follows_it(name: str) -> None:
    text = (PROGRAMS / name).read_text(encoding="utf-8")
    assert text.splitlines()[0] == LINE
    assert problems(yaml.safe_load(text)) == []


def test_every_field_has_a_description_and_what_counts_has_its_unit() -> None:
    assert set(models()) == set(MODELS)
    for name, model in models().items():
        assert set(model["properties"]) == set(MODELS[name].model_fields)
        assert model["description"]
        for field, of in model["properties"].items():
            assert of["description"], f"{name}.{field}"
            counts = any("integer" in str(kind) for kind in (of, *of.get("anyOf", ())) if "$ref" not in str(kind))
            assert ("unit" in of) >= counts, f"{name}.{field}"


@given(workflow=workflows())
def test_whatever_can_be_declared_follows_the_schema(workflow: Workflow) -> None:
    assert problems(json.loads(json.dumps(plain_workflow(workflow)))) == []


WRONG: dict[str, dict[str, Any]] = {
    "unknown-key": {"widht": 1},
    "no-name": {"name": None},
    "width": {"rounds": [{"width": 0}]},
    "text-width": {"rounds": [{"width": "4"}]},
    "no-kind": {"rounds": [{"width": 2, "distill": {"tokens": 64}}, {"width": 1}]},
    "other-kinds-key": {"rounds": [{"width": 2, "distill": {"kind": "summary", "k": 2}}, {"width": 1}]},
    "close": {"close": "best"},
    "prompt": {"prompts": {"draft": "nonesuch"}},
    "temperature": {"sampling": {"temperature": 3}},
    "fallback": {"fallback": "maybe"},
    "thinking": {"close": {"kind": "pick", "thinking": "much"}},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_by_itself_is_wrong_by_the_schema(name: str) -> None:
    assert problems({"name": "w", "rounds": [{"width": 1}]} | WRONG[name]) != []


@pytest.mark.parametrize("word", ["on", "off"])
def test_both_yamls_words_for_on_and_off_are_right(word: str) -> None:
    text = f"name: w\nrounds: [{{width: 2}}]\nclose: {{kind: pick, thinking: off}}\nfallback: {word}\n"
    assert parse_workflow(text).fallback == word
    old = yaml.safe_load(text)  # YAML 1.1: true and false
    new = copy.deepcopy(old) | {"fallback": word, "close": {"kind": "pick", "thinking": "off"}}
    assert problems(old) == problems(new) == []


def test_the_reference_has_every_field_as_the_models_say() -> None:
    assert sorted(tables_of(PAGE)) == sorted(MODELS)
    assert renewed(PAGE) == PAGE, "make schema"
    for name, model in MODELS.items():
        rows = re.findall(r"^\| `(\w+)` \|", table(name), re.MULTILINE)
        assert rows == list(model.model_fields)


def test_every_mapping_has_a_heading_that_its_links_find() -> None:
    headings = {heading.lower() for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(\w+)\)", PAGE)) <= headings


@pytest.mark.parametrize("place", range(len(EXAMPLES)))
def test_every_example_of_the_reference_can_be_run(place: int) -> None:
    assert problems(yaml.safe_load(EXAMPLES[place])) == []
    assert parse_workflow(EXAMPLES[place]).rounds


def test_the_python_of_the_reference_runs() -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(script, scope)
    assert scope["solve"].workflow == scope["small"]
