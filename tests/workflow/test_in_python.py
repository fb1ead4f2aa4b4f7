"""Workflows made in Python: what is wrong with one is a `WorkflowError`, and so is what is no workflow at all."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from pdr_dspy import (
    BudgetError,
    InputError,
    Round,
    Sampling,
    Workflow,
    WorkflowError,
    build_workflow,
    dump_workflow,
    load_preset,
    load_workflow,
    parse_budget,
    parse_workflow,
)
from pdr_dspy.workflow import Instruction, Pick, Prompts, Top, preset_names

MADE: dict[str, tuple[Callable[..., Any], dict[str, Any], str, str, str]] = {
    "no draft": (Round, {"width": 0}, "width", "0 is too small", "Write at least 1"),
    "no width": (Round, {}, "width", "it is missing", "Add width: to it"),
    "unknown": (Round, {"width": 1, "widht": 2}, "widht", "unknown key", "Write width"),
    "no rounds": (Workflow, {"name": "x", "rounds": []}, "rounds", "it is empty", "Write at least one"),
    "hot": (Sampling, {"temperature": 9}, "temperature", "9 is too large", "Write at most 2.0"),
    "a distiller": (Round, {"width": 2, "distill": {"kind": "to"}}, "distill.kind", "'to' is no distiller", "Use one"),
    "too many": (Round, {"width": 2, "distill": Top(k=3)}, "distill.k", "3 of 2 drafts", "Write at most k: 2"),
    "k": (Top, {"k": 0}, "k", "0 is too small", "Write at least 1"),
    "models": (Round, {"width": 1, "models": ["a b"]}, "models[0]", "'a b' has other", "Leave them out"),
    "a text": (Instruction, {"text": " "}, "text", "it is empty", "Write the instruction"),
    "an id": (Prompts, {"draft": {"id": "!", "text": "t"}}, "draft.id", "'!' has other", "Leave them out"),
    "a pick": (Pick, {"kind": "x"}, "kind", "'x' is not one of the choices", "Write 'pick'"),
    "within": (Workflow, {"name": "x", "rounds": [{"width": 0}]}, "rounds[0].width", "0 is too small", "Write at"),
    "a rule": (Workflow, {"name": "x", "rounds": [Round(width=2)]}, "rounds[0].width", "the last round", "Write width"),
}


@pytest.mark.parametrize("wrong", MADE)
def test_what_is_made_wrong_names_field_and_mend(wrong: str) -> None:
    make, given, field, problem, mend = MADE[wrong]
    with pytest.raises(WorkflowError) as told:
        make(**given)
    assert told.value.field == field
    assert told.value.problem.startswith(problem) and told.value.mend.startswith(mend)


def test_values_have_names() -> None:
    with pytest.raises(WorkflowError, match=r"Round: what it is made of has no names\. Write width=\.\.\., distill="):
        Round(4)  # type: ignore[misc]


def test_pydantic_keeps_its_own_error_with_the_whole_path() -> None:
    with pytest.raises(ValidationError) as told:
        Workflow.model_validate(
            {"name": "x", "rounds": [{"width": 1}, {"width": 2, "distill": {"kind": "top", "k": 0}}]}
        )
    assert told.value.errors()[0]["loc"] == ("rounds", 1, "distill", "top", "k")


@pytest.mark.parametrize("name", preset_names())
def test_what_is_right_stays_as_it_is(name: str) -> None:
    workflow = load_preset(name)
    assert Workflow.model_validate(workflow.model_dump()) == workflow
    assert Workflow(**dict(workflow)) == workflow
    assert deepcopy(workflow) == pickle.loads(pickle.dumps(workflow)) == workflow


DOORS: dict[str, tuple[Callable[[Any], Any], type[InputError], str]] = {
    "parse_workflow": (parse_workflow, WorkflowError, "load_workflow(path)"),
    "load_workflow": (load_workflow, WorkflowError, "a preset's name"),
    "load_preset": (load_preset, WorkflowError, "pdr_small"),
    "build_workflow": (build_workflow, WorkflowError, "{'name': "),
    "dump_workflow": (dump_workflow, WorkflowError, "build_workflow(mapping)"),
    "parse_budget": (parse_budget, BudgetError, "tokens=16k"),
}


@pytest.mark.parametrize("given", [None, 3, b"x", [], ()], ids=["None", "3", "bytes", "list", "tuple"])
@pytest.mark.parametrize("door", DOORS)
def test_another_thing_altogether_is_a_typed_error(door: str, given: object) -> None:
    call, kind, mend = DOORS[door]
    with pytest.raises(kind) as told:
        call(given)
    assert told.value.field in ("workflow", "budget")
    assert told.value.problem.startswith(f"it is {given!r}")
    assert mend in told.value.mend


def test_a_mapping_is_no_workflow_to_be_written() -> None:
    with pytest.raises(WorkflowError, match=r"workflow: it is \{\}, of the type dict"):
        dump_workflow({})  # type: ignore[arg-type]
