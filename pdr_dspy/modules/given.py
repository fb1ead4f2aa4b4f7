"""What a program is made of, as its user gives it, read and checked once: signature, workflow, budget."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dspy

from pdr_dspy.budget import Budget, parse_budget
from pdr_dspy.errors import BudgetError, SignatureError, WorkflowError
from pdr_dspy.workflow import Workflow, build_workflow, load_workflow

GivenWorkflow = Workflow | Mapping[str, Any] | str | os.PathLike[str]
"""A workflow: itself, as plain data, a preset's name, or the path of a YAML file."""

GivenBudget = Budget | str | int | None
"""A budget: itself, as it is written (`tokens=16k,seconds=30`), a number of `tokens`, or None: no limit."""

UNNAMED = "unnamed"
"""Name of a workflow that is given as plain data without one."""


def given_signature(signature: Any) -> type[dspy.Signature]:
    """A signature from a class or a text.

    Raises:
        SignatureError: it is none, or lacks an input or an output.
    """
    mend = 'Write a text such as "question -> answer: int", or a subclass of dspy.Signature'
    made: Any = signature
    if isinstance(signature, str):
        try:
            made = dspy.ensure_signature(signature)
        except Exception as error:  # SyntaxError, ValueError, NameError: DSPy evaluates the types
            said = " ".join(str(error).split())[:200]
            raise SignatureError("signature", f"{signature!r:.80} is no signature ({said})", mend) from None
    if not (isinstance(made, type) and issubclass(made, dspy.Signature)):
        raise SignatureError("signature", f"{_shown(signature)} is no signature", mend)
    found: type[dspy.Signature] = made
    for side, fields in (("input", found.input_fields), ("output", found.output_fields)):
        if not fields:
            raise SignatureError("signature", f"it has no {side} field", mend)
    return found


def given_workflow(workflow: Any) -> Workflow:
    """A workflow from whatever says it (`GivenWorkflow`).

    Raises:
        WorkflowError: it can't be read or run; names key and mend.
    """
    if isinstance(workflow, Workflow):
        return workflow
    if isinstance(workflow, Mapping):
        if odd := next((key for key in workflow if not isinstance(key, str)), None):
            raise WorkflowError("workflow", f"the key {odd!r:.60} is not a text", "Write name, rounds, close, ...")
        return build_workflow({"name": UNNAMED, **workflow})
    if isinstance(workflow, str):
        return load_workflow(workflow)
    if isinstance(workflow, os.PathLike):
        return load_workflow(Path(workflow))
    mend = "Give a preset's name (pdr_small), the path of a YAML file, a mapping with rounds, or a Workflow"
    raise WorkflowError("workflow", f"{_shown(workflow)} is no workflow", mend)


def check_models(workflow: Workflow) -> None:
    """See that a workflow needs nothing that can't be run yet.

    Raises:
        WorkflowError: it names models for drafts.
    """
    for number, this in enumerate(workflow.rounds):
        if this.models:
            raise WorkflowError(f"rounds[{number}].models", "a model for each draft can't be run yet", "Leave it out")


def given_budget(budget: Any) -> Budget:
    """A budget from whatever says it (`GivenBudget`).

    Raises:
        BudgetError: it is none.
    """
    if budget is None:
        return Budget()
    if isinstance(budget, Budget):
        return budget
    if isinstance(budget, str):
        return parse_budget(budget)
    if isinstance(budget, int) and not isinstance(budget, bool):
        return Budget(tokens=budget)
    mend = 'Give a number of tokens (16000), a text ("tokens=16k,seconds=30") or a Budget'
    raise BudgetError("budget", f"{_shown(budget)} is no budget", mend)


def given_seed(seed: Any) -> int:
    """A seed.

    Raises:
        WorkflowError: it is no whole number.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise WorkflowError("seed", f"{_shown(seed)} is no seed", "Give a whole number")
    return seed


def given_code(field: str, code: Any) -> Any:
    """A function that the user gives, or None.

    Raises:
        WorkflowError: it can't be called.
    """
    if code is not None and not callable(code):
        raise WorkflowError(field, f"{_shown(code)} can't be called", "Give a function, or leave it out")
    return code


def whole(field: str, value: Any, least: int, most: int) -> int:
    """A whole number within bounds.

    Raises:
        WorkflowError: it is another thing, or out of them.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise WorkflowError(field, f"{_shown(value)} can't be", f"Write a whole number from {least} to {most}")
    return value


def _shown(value: Any) -> str:
    """What was given, in a few words; nothing of what it holds."""
    if value is None or isinstance(value, bool | int | float):
        return f"{value!r:.60}"
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
