"""What a program was declared with, kept with it: its workflow, budget, seed and what it votes on.

DSPy saves a program as the states of its parameters, by name, and knows the attributes of a module in no other way. So
the declaration is a parameter of its own (`declared`), which optimisers pass over: it is no predictor.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import dspy
from dspy.predict.parameter import Parameter

from pdr_dspy.budget import Budget, parse_budget
from pdr_dspy.errors import InputError, WorkflowError
from pdr_dspy.workflow import Stage, Workflow, build_workflow, plain_workflow, plan, topology

VERSION = 1
"""Of the form in which a declaration is saved."""

STATE = "declared"
"""What it is called in a saved program, and in a module."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


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
        return {
            "version": VERSION,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "workflow": plain_workflow(self.workflow),
            "budget": str(self.budget),
            "seed": self.seed,
            "vote_on": list(self.vote_on),
        }

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
        saved = Declared.__new__(Declared)
        saved.inputs, saved.outputs = self.inputs, self.outputs
        if not isinstance(state, Mapping) or state.get("version") != VERSION:
            raise WorkflowError(STATE, "what is saved is no declaration of this version", "Save the program again")
        for side, own in (("inputs", self.inputs), ("outputs", self.outputs)):
            if tuple(state.get(side, ())) != own:
                problem = f"it was saved with the {side} {_names(state.get(side, ()))}, this program has {_names(own)}"
                raise WorkflowError("signature", problem, "Load it into a program of the signature it was saved with")
        try:
            saved.workflow = build_workflow(state["workflow"])
            saved.budget = parse_budget(state["budget"])
            saved.seed = int(state["seed"])
            saved.vote_on = tuple(state["vote_on"])
            strange = [name for name in saved.vote_on if name not in self.outputs]
        except InputError as error:
            raise WorkflowError(f"{STATE}.{error.field}", error.problem, error.mend) from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WorkflowError(STATE, f"what is saved can't be read ({error})", "Save the program again") from None
        if strange or not saved.vote_on:
            raise WorkflowError(f"{STATE}.vote_on", f"{_names(strange)} are no outputs", "Save the program again")
        return saved

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
    """An attribute of a module that its declaration keeps."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, module: Any, owner: type) -> T:
        if module is None:
            raise AttributeError(self._name)
        return cast(T, getattr(module.declared, self._name))

    def __set__(self, module: Any, value: T) -> None:
        setattr(module.declared, self._name, value)


def _names(fields: Sequence[str]) -> str:
    return ", ".join(map(str, fields)) or "nothing"
