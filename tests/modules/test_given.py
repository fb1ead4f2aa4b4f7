"""What a program is made of, as its user gives it: every way to say it, and what is said of what can't be."""

from __future__ import annotations

import re
from copy import copy
from pathlib import Path
from typing import Any

import dspy
import pytest

import pdr_dspy
from pdr_dspy import PDR, Budget, LongCoT, MajorityVote, SequentialRefinement, Workflow, load_preset, preset_names
from pdr_dspy.errors import BudgetError, InputError, SignatureError, WorkflowError
from pdr_dspy.modules.given import UNNAMED
from pdr_dspy.workflow import DEFAULT_PRESET, Round, load_workflow

QA = "question -> answer"
ONE = {"rounds": [{"width": 1}]}


def test_without_a_workflow_it_is_the_default_preset() -> None:
    assert PDR(QA).workflow == load_preset(DEFAULT_PRESET)
    assert PDR(QA).workflow.widths == (8, 1)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_found_by_its_name_and_is_named_so(name: str) -> None:
    assert PDR(QA, name).workflow.name == name


def test_a_preset_is_the_file_of_the_repository_wherever_one_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = Path(pdr_dspy.__file__).resolve().parents[1] / "programs"
    monkeypatch.chdir(tmp_path)
    for name in preset_names():
        assert load_preset(name) == load_workflow(files / f"{name}.yaml")


def test_a_mapping_is_a_workflow_and_needs_no_name() -> None:
    made = PDR(QA, {"rounds": [{"width": 4, "distill": {"kind": "top", "k": 2}}, {"width": 1}]}).workflow
    assert (made.name, made.widths) == (UNNAMED, (4, 1))
    assert PDR(QA, {"name": "mine", **ONE}).workflow == Workflow(name="mine", rounds=(Round(width=1),))


def test_a_path_is_a_workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file := tmp_path / "pdr.yaml").write_text("name: mine\nrounds:\n  - {width: 1}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert {PDR(QA, given).workflow.name for given in (file, str(file), "pdr.yaml", "./pdr.yaml")} == {"mine"}
    assert PDR(QA, "pdr").workflow.name == "pdr"
    file.rename(tmp_path / "pdr")
    assert PDR(QA, "pdr").workflow.name == "pdr", "a name stays a preset's, whatever lies about"
    assert PDR(QA, Path("pdr")).workflow.name == PDR(QA, "./pdr").workflow.name == "mine"


@pytest.mark.parametrize("budget", [16_000, "tokens=16k", Budget(tokens=16_000)], ids=["int", "text", "budget"])
def test_a_budget_is_a_number_a_text_or_itself(budget: Any) -> None:
    assert PDR(QA, budget=budget).budget == Budget(tokens=16_000)
    assert LongCoT(QA, budget=budget).budget == Budget(tokens=16_000)


def test_none_is_no_limit() -> None:
    assert PDR(QA, budget=None).budget == PDR(QA).budget == Budget()


WRONG: dict[str, tuple[type[InputError], str, dict[str, Any]]] = {
    "no signature": (SignatureError, "signature", {"signature": None}),
    "a word": (SignatureError, "signature", {"signature": "question"}),
    "two arrows": (SignatureError, "signature", {"signature": "a -> b -> c"}),
    "an unknown type": (SignatureError, "signature", {"signature": "a -> b: nonsense"}),
    "nothing": (SignatureError, "signature", {"signature": ""}),
    "no input": (SignatureError, "signature", {"signature": " -> answer"}),
    "no output": (SignatureError, "signature", {"signature": "question -> "}),
    "another class": (SignatureError, "signature", {"signature": dict}),
    "a module for a signature": (SignatureError, "signature", {"signature": dspy.Predict(QA)}),
    "a list for a signature": (SignatureError, "signature", {"signature": ["question", "answer"]}),
    "no workflow": (WorkflowError, "workflow", {"workflow": None}),
    "a list": (WorkflowError, "workflow", {"workflow": [{"width": 1}]}),
    "a module": (WorkflowError, "workflow", {"workflow": dspy.Predict(QA)}),
    "a class": (WorkflowError, "workflow", {"workflow": Workflow}),
    "a number": (WorkflowError, "workflow", {"workflow": 8}),
    "an unknown preset": (WorkflowError, "workflow", {"workflow": "pdr_smal"}),
    "a very long name": (WorkflowError, "workflow", {"workflow": "x" * 5000}),
    "no character of a name": (WorkflowError, "workflow", {"workflow": "a\0b"}),
    "an empty name": (WorkflowError, "workflow", {"workflow": " "}),
    "YAML": (WorkflowError, "workflow", {"workflow": "name: x\nrounds:\n  - {width: 1}\n"}),
    "no such file": (WorkflowError, "none/mine.yaml", {"workflow": "none/mine.yaml"}),
    "an unknown key": (WorkflowError, "round", {"workflow": {"round": [], **ONE}}),
    "a key that is no text": (WorkflowError, "workflow", {"workflow": {1: 2, **ONE}}),
    "no rounds": (WorkflowError, "rounds", {"workflow": {}}),
    "width 0": (WorkflowError, "rounds[0].width", {"workflow": {"rounds": [{"width": 0}]}}),
    "a float": (BudgetError, "budget", {"budget": 16e3}),
    "true": (BudgetError, "budget", {"budget": True}),
    "a mapping for a budget": (BudgetError, "budget", {"budget": {"tokens": 16_000}}),
    "zero": (BudgetError, "budget.tokens", {"budget": 0}),
    "a negative number": (BudgetError, "budget.tokens", {"budget": -1}),
    "a budget without key": (BudgetError, "budget", {"budget": "16k"}),
    "too small": (BudgetError, "budget.tokens", {"budget": 10}),
    "a seed that is none": (WorkflowError, "seed", {"seed": "0"}),
    "an equality that is none": (WorkflowError, "equal", {"equal": "same"}),
    "a field that is none": (WorkflowError, "vote_on", {"vote_on": "answers"}),
    "a number of a field": (WorkflowError, "vote_on", {"vote_on": 0}),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_can_not_be_is_said_when_the_module_is_made(wrong: str) -> None:
    kind, field, given = WRONG[wrong]
    with pytest.raises(kind) as raised:
        PDR(**{"signature": QA, **given})
    assert raised.value.field == field
    assert raised.value.mend


KEPT = ("workflow", "budget", "seed", "vote_on")


def state(made: PDR) -> dict[str, Any]:
    return {**{name: getattr(made, name) for name in KEPT}, **made.dump_state()}


@pytest.mark.parametrize("wrong", [key for key, (_, _, given) in WRONG.items() if next(iter(given)) in KEPT])
def test_what_can_not_be_is_said_when_it_is_assigned_and_changes_nothing(wrong: str) -> None:
    kind, field, given = WRONG[wrong]
    made = PDR(QA, "pdr_small", budget="tokens=16k", seed=3)
    before = state(made)
    ((name, value),) = given.items()
    with pytest.raises(kind) as raised:
        setattr(made, name, value)
    assert raised.value.field == field
    assert state(made) == before


@pytest.mark.parametrize("budget", [8000, "tokens=8k", Budget(tokens=8000)], ids=["int", "text", "budget"])
def test_what_is_assigned_is_read_as_what_it_is_made_with(budget: Any) -> None:
    made = PDR("question -> answer, x: int", "pdr_small")
    made.budget, made.seed, made.vote_on = budget, 7, "x"  # type: ignore[assignment]
    assert (made.budget, made.seed, made.vote_on) == (Budget(tokens=8000), 7, ("x",))
    made.budget = made.vote_on = None  # type: ignore[assignment]
    assert (made.budget, made.vote_on) == (Budget(), ("answer",))


@pytest.mark.parametrize(
    "workflow",
    ["pdr_small", load_preset("pdr_small"), Path("programs/pdr_small.yaml")],
    ids=["name", "workflow", "path"],
)
def test_an_assigned_workflow_brings_its_predictors(workflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(pdr_dspy.__file__).resolve().parents[1])
    made = PDR(QA, "long_cot")
    made.draft.demos = [dspy.Example(question="1+1", solution="two", answer="2")]
    made.set_lm(lm := dspy.utils.DummyLM([]))
    made.workflow = workflow
    assert made.workflow == load_preset("pdr_small")
    assert [name for name, _ in made.named_predictors()] == ["draft", "distill", "refine"]
    assert made.draft.demos and made.refine.lm is made.distill.lm is lm
    assert made.get_lm() is lm
    made.workflow = "long_cot"  # type: ignore[assignment]
    assert [name for name, _ in made.named_predictors()] == ["draft"]


def test_an_assigned_workflow_tells_its_own_instructions_and_leaves_those_that_were_learnt() -> None:
    brief = {"rounds": [{"width": 2, "distill": {"kind": "top"}}, {"width": 1}], "prompts": {"draft": "brief"}}
    made, learnt = PDR(QA, "pdr_small"), PDR(QA, "pdr_small")
    learnt.draft.signature = learnt.draft.signature.with_instructions("Think hard.")
    usual, kept = made.draft.signature.instructions, copy(made)
    for each in (made, learnt):
        each.workflow = brief  # type: ignore[assignment]
    assert made.draft.signature.instructions == PDR(QA, brief).draft.signature.instructions != usual
    assert learnt.draft.signature.instructions == "Think hard."
    assert kept.draft.signature.instructions == usual and kept.workflow == load_preset("pdr_small")


def test_models_for_drafts_are_refused_when_they_are_assigned() -> None:
    made = PDR(QA, "long_cot")
    with pytest.raises(WorkflowError, match=r"rounds\[0\]\.models"):
        made.workflow = {"rounds": [{"width": 2, "models": ["a", "b"]}], "close": "vote"}  # type: ignore[assignment]
    assert made.workflow == load_preset("long_cot")


def test_a_preset_is_loaded_by_its_name_as_a_file_is_by_its_path() -> None:
    assert load_workflow("pdr_small") == load_preset("pdr_small")
    with pytest.raises(WorkflowError, match="The presets are "):
        load_workflow("pdr_smal")
    with pytest.raises(WorkflowError, match="can't be read"):
        load_workflow(Path("pdr_small"))


def test_an_unknown_name_names_the_known_ones() -> None:
    with pytest.raises(WorkflowError, match=re.escape("Did you mean pdr_small? The presets are best_of_n, ")):
        PDR(QA, "pdr_smal")


@pytest.mark.parametrize("path", ["pdr_small.yaml", "elsewhere/pdr_small.yaml"])
def test_the_path_of_a_preset_that_is_not_there_names_the_preset(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkflowError, match="The preset is 'pdr_small'"):
        PDR(QA, path)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "4", None, 10**6], ids=str)
def test_the_strategies_take_what_can_be(value: Any) -> None:
    with pytest.raises(WorkflowError, match="rounds"):
        SequentialRefinement(QA, rounds=value)
    with pytest.raises(WorkflowError, match="width"):
        MajorityVote(QA, width=value)


def test_the_strategies_are_their_presets() -> None:
    assert LongCoT(QA).workflow == load_preset("long_cot")
    assert SequentialRefinement(QA).workflow == load_preset("sr")
    assert MajorityVote(QA, width=16).workflow == load_preset("majority")
    assert SequentialRefinement(QA, rounds=1).workflow.rounds == LongCoT(QA).workflow.rounds
