"""What a program was declared with, kept with it: its workflow, budget, seed and what it votes on.

DSPy saves a program as the states of its parameters, by name, and knows the attributes of a module in no other way. So
the declaration is a parameter of its own (`declared`), which optimisers pass over: it is no predictor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Generic, Literal, TypeVar, cast

import dspy
from dspy.predict.parameter import Parameter
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pdr_dspy.budget import Budget, parse_budget
from pdr_dspy.errors import InputError, WorkflowError
from pdr_dspy.workflow import Stage, Workflow, build_workflow, plain_workflow, plan, topology
from pdr_dspy.workflow.complaints import first_problem

VERSION: Literal[1] = 1
"""Of the form in which a declaration is saved."""

STATE = "declared"
"""What it is called in a saved program, and in a module."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


_MEND = "Save the program again"


class _Saved(BaseModel):
    """A declaration as it is saved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    workflow: dict[str, Any]
    budget: str
    seed: int
    vote_on: tuple[str, ...] = Field(min_length=1)


class Declared(Parameter):
    """A program's declaration.

    Attributes:
        workflow: Its workflow.
        budget: What one problem may cost.
        seed: Seed of all sampling.
        vote_on: The output fields that are voted on.
        inputs, outputs: Names of the fields of its signature.
    """

    workflow: Workflow
    budget: Budget
    seed: int
    vote_on: tuple[str, ...]

    def __init__(self, signature: type[dspy.Signature]) -> None:
        self.inputs = tuple(signature.input_fields)
        self.outputs = tuple(signature.output_fields)

    @property
    def stages(self) -> list[Stage]:
        """The stages of its workflow, each once."""
        return list(dict.fromkeys(step.stage for step in plan(self.workflow, self.budget).steps))

    def dump_state(self, json_mode: bool = True) -> dict[str, Any]:
        """The declaration as plain data."""
        return _Saved(
            version=VERSION,
            inputs=self.inputs,
            outputs=self.outputs,
            workflow=plain_workflow(self.workflow),
            budget=str(self.budget),
            seed=self.seed,
            vote_on=self.vote_on,
        ).model_dump(mode="json")

    def load_state(self, state: Any) -> None:
        """Take over what was saved, and say where that is another workflow or budget.

        Raises:
            WorkflowError: it is of another signature or other stages, or no declaration.
        """
        self.take(self.read(state))

    def read(self, state: Any) -> Declared:
        """The declaration that was saved, if a program of this signature can have it.

        Raises:
            WorkflowError: it is none, of another signature, or can't be run.
        """
        try:
            kept = _Saved.model_validate(state)
        except ValidationError as error:
            raise WorkflowError(STATE, f"what is saved can't be read ({first_problem(error, STATE)})", _MEND) from None
        for side, saved, own in (("inputs", kept.inputs, self.inputs), ("outputs", kept.outputs, self.outputs)):
            if saved != own:
                problem = f"it was saved with the {side} {_names(saved)}, this program has {_names(own)}"
                raise WorkflowError("signature", problem, "Load it into a program of the signature it was saved with")
        found = copy(self)
        try:
            found.workflow, found.budget = build_workflow(kept.workflow), parse_budget(kept.budget)
        except InputError as error:
            raise WorkflowError(f"{STATE}.{error.field}", error.problem, error.mend) from None
        if strange := [name for name in kept.vote_on if name not in self.outputs]:
            raise WorkflowError(f"{STATE}.vote_on", f"the program has no output {_names(strange)}", _MEND)
        found.seed, found.vote_on = kept.seed, kept.vote_on
        return found

    def take(self, saved: Declared) -> None:
        """Take over another declaration whose stages are the same.

        Raises:
            WorkflowError: its stages are others, so that predictors are missing.
        """
        if saved.stages != self.stages:
            problem = (
                f"it was saved with {saved.in_words()}, this program has {self.in_words()}: its stages are "
                f"{', '.join(self.stages)}, not {', '.join(saved.stages)}"
            )
            raise WorkflowError("workflow", problem, "Make the PDR inside it with the workflow that was saved")
        self.say_if_replaced_by(saved)
        self.__dict__.update(saved.__dict__)

    def say_if_replaced_by(self, saved: Declared) -> None:
        """Log that a saved workflow or budget takes the place of this one, where it is another."""
        if (saved.workflow, saved.budget) != (self.workflow, self.budget):
            _log.warning("the saved program's %s takes the place of %s", saved.in_words(), self.in_words())

    def in_words(self) -> str:
        """The workflow and its budget in a few words."""
        return f"the workflow {self.workflow.name!r} ({topology(self.workflow)}), budget {self.budget}"

    def reset(self) -> None:
        """Nothing: what an optimiser begins anew is what it has learnt."""


class Kept(Generic[T]):
    """An attribute of a module that its declaration keeps. What is assigned is read as what the module is made with.

    Args:
        read: Reads what is given for a module. It raises an `InputError` of what can't be.
    """

    def __init__(self, read: Callable[[Any, Any], T]) -> None:
        self._read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, module: Any, owner: type) -> T:
        if module is None:
            raise AttributeError(self._name)
        return cast(T, getattr(module.declared, self._name))

    def __set__(self, module: Any, value: Any) -> None:
        # Another declaration: a shallow copy of the module keeps this one.
        changed = copy(module.declared)
        setattr(changed, self._name, self._read(module, value))
        module.declare(changed)


def _names(fields: Sequence[str]) -> str:
    return ", ".join(map(str, fields)) or "nothing"
