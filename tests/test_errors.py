"""Every error of this library can be sent to another process, and copied, with its text and its attributes."""

from __future__ import annotations

import ast
import importlib
import inspect
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from copy import copy, deepcopy
from pathlib import Path
from threading import Lock
from typing import Any

import dspy
import pytest
from fakes.vllm import FakeVLLM

from pdr_dspy import PDR, RunRecord, connect, errors
from pdr_dspy.budget import parse_budget
from pdr_dspy.errors import BudgetError, CallError, InputError, PDRError, Truncated, WorkflowFailed

ROOT = Path(__file__).parents[1]
TOPS = ("pdr_dspy", "optimize", "experiments")


def declared() -> Iterator[tuple[str, str]]:
    """Module and name of every error class: those of `errors`, and what names one of them as its base elsewhere."""
    known = {name for name, each in vars(errors).items() if inspect.isclass(each) and issubclass(each, PDRError)}
    yield from (("pdr_dspy.errors", name) for name in sorted(known))
    for path in sorted(path for top in TOPS for path in (ROOT / top).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if module == "pdr_dspy.errors":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base).split(".")[-1] in known for base in node.bases):
                yield module, node.name


CLASSES = list(declared())
COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda error: pickle.loads(pickle.dumps(error)),
    "copy": copy,
    "deepcopy": deepcopy,
}
VALUES: dict[str, Any] = {"spent": 7, "limit": 9, "cause": Truncated("cut", "its text"), "record": {"a": 1}}


def made(module: str, name: str) -> PDRError:
    """An error of the class, each of whose parameters has a value of its own."""
    try:
        kind = getattr(importlib.import_module(module), name)
    except ImportError as missing:
        pytest.skip(f"{module} needs {missing.name}")
    if kind.__init__ is Exception.__init__:
        return kind("what happened")  # type: ignore[no-any-return]
    names = list(inspect.signature(kind).parameters)
    return kind(*(VALUES.get(each, f"the {each}") for each in names))  # type: ignore[no-any-return]


def seen(value: Any) -> Any:
    """What can be compared of an error: its class, text and attributes, those of its cause as well."""
    if not isinstance(value, Exception):
        return value
    return type(value), str(value), value.args, {name: seen(each) for name, each in vars(value).items()}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(("module", "name"), CLASSES, ids=[name for _, name in CLASSES])
def test_every_error_is_the_same_elsewhere(module: str, name: str, how: str) -> None:
    error = made(module, name)
    error.add_note("a note")
    assert seen(COPIES[how](error)) == seen(error)


def test_the_classes_elsewhere_are_found() -> None:
    assert {"ConfigError", "RolloutLost", "TrackingError", "WorkflowFailed", "MissingExtra"} <= {n for _, n in CLASSES}


@pytest.mark.parametrize(("module", "name"), CLASSES, ids=[name for _, name in CLASSES])
def test_an_input_error_may_get_another_name(module: str, name: str) -> None:
    error = made(module, name)
    if isinstance(error, InputError):
        other = error.named("--budget")
        assert type(other) is type(error) and other.field == "--budget" != error.field
        assert str(other) == f"--budget: {error.problem}. {error.mend}"
        assert {**vars(other), "field": error.field} == vars(error)


class OneText(Exception):
    """An exception that is pickled and can't be read back, as many are."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")


def test_what_can_not_be_sent_is_left_behind() -> None:
    failed = WorkflowFailed("round 1", OneText("here", "broken"), {"ledger": Lock()})
    there = pickle.loads(pickle.dumps(failed))
    assert str(there) == str(failed) == "round 1: no draft left (OneText: here: broken)"
    assert (there.stage, there.record, there.kind) == ("round 1", None, "error")
    assert type(there.cause) is CallError and str(there.cause) == "OneText: here: broken"
    for same in (copy(failed), deepcopy(failed)):
        assert same.cause is failed.cause and same.record is failed.record


def test_a_run_that_failed_takes_its_record_along() -> None:
    with (
        FakeVLLM(answer="", context=8192) as server,
        connect(server.url) as lm,
        dspy.context(lm=lm),
        pytest.raises(WorkflowFailed) as told,
    ):
        PDR("problem -> answer", "long_cot", budget="tokens=2k", equal=lambda one, other: one == other)(problem="q")
    there = pickle.loads(pickle.dumps(told.value))
    assert isinstance(there.record, RunRecord) and there.record.records
    assert there.record == told.value.record and there.record.meters == told.value.record.meters
    assert (there.kind, str(there)) == (told.value.kind, str(told.value))


def test_a_pool_hands_it_on() -> None:
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        pytest.raises(BudgetError) as told,
    ):
        pool.submit(parse_budget, "tokens=16q").result()
    assert isinstance(told.value, InputError)
    assert told.value.field == "budget.tokens" and told.value.mend.startswith("Write it like tokens=16k")
