"""Programs that an older version saved: what they were declared with was no parameter yet (`declared`).

The states of their predictors alone were saved, or, with a whole program, the declaration as attributes of the module.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import wraps
from typing import Any

import dspy

from pdr_dspy.budget import Budget
from pdr_dspy.errors import WorkflowError
from pdr_dspy.modules.declared import STATE, Declared
from pdr_dspy.modules.given import given_seed
from pdr_dspy.modules.votes import voted_fields
from pdr_dspy.workflow import Workflow

_ATTRIBUTES = ("workflow", "budget", "seed", "vote_on")

_log = logging.getLogger(__name__)


def completed(module: dspy.Module, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """A saved state with the declarations that it lacks: those that the module was made with, and a warning says so.

    Args:
        module: What it is loaded into: a PDR, or a program with some in it.
        state: States of parameters, by name.

    Raises:
        WorkflowError: it lacks predictors of such a PDR, too.
    """
    names = dict(module.named_parameters())
    added: dict[str, Any] = {}
    for name, own in names.items():
        if not isinstance(own, Declared) or name in state:
            continue
        inside = name.removesuffix(STATE)
        if missing := [inside + stage for stage in own.stages if inside + stage not in state]:
            problem = f"what is loaded has no state of {', '.join(missing)}"
            raise WorkflowError("program", problem, "Load what was saved of a PDR program with this workflow")
        of = f" of {inside.removesuffix('.')}" if inside else ""
        _log.warning("what is loaded names no workflow and budget%s: %s stay", of, own.in_words())
        added[name] = own.dump_state()
    return {**state, **added} if added else state


def with_declaration(signature: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a pickled PDR, its declaration made of those that an older version kept apart.

    Args:
        signature: Its signature.
        attributes: What was pickled.

    Raises:
        WorkflowError: they say no workflow.
    """
    made = Declared(signature)
    kept = {name: attributes.get(name) for name in _ATTRIBUTES}
    workflow, budget = kept["workflow"], kept["budget"]
    if not isinstance(workflow, Workflow) or not isinstance(budget, Budget):
        raise WorkflowError("program", "the saved program has no workflow and budget", "Make it anew, and save it")
    made.workflow, made.budget = workflow, budget
    made.seed = given_seed(kept["seed"])
    made.vote_on = voted_fields(signature, kept["vote_on"])
    return {STATE: made, **{name: value for name, value in attributes.items() if name not in kept}}


def complete_what_dspy_loads() -> None:
    """Have `dspy.Module.load_state` complete what it is given.

    A program that holds a PDR is loaded by DSPy's own code, which takes the state of each parameter by its name and
    asks no module about those that are missing; so this is the only place.
    """
    load = dspy.Module.load_state

    @wraps(load)
    def load_state(self: dspy.Module, state: Any, **options: Any) -> Any:
        return load(self, completed(self, state) if isinstance(state, Mapping) else state, **options)

    dspy.Module.load_state = load_state
