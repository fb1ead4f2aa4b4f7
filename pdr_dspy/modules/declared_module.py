"""A module that goes by its declaration: the predictors of its stages, what they are told, saving and loading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

import dspy

from pdr_dspy.budget import Budget
from pdr_dspy.endpoint import Recommended
from pdr_dspy.errors import WorkflowError
from pdr_dspy.modules.declared import STATE, Declared, Kept
from pdr_dspy.modules.given import check_models, given_budget, given_seed, given_workflow
from pdr_dspy.modules.older import completed, with_declaration
from pdr_dspy.modules.signatures import STAGES, stage_instructions, stage_signature
from pdr_dspy.modules.votes import voted_fields
from pdr_dspy.prompts import REASONER, family, instruction, resolved
from pdr_dspy.workflow import Plan, Stage, Workflow, plan


class DeclaredModule(dspy.Module):
    """A workflow over a signature, as a `dspy.Module` with a predictor for each stage; `PDR` runs it.

    Attributes:
        signature: The user's.
        declared: The declaration, which is saved with the predictors.
        workflow, budget, seed, vote_on: Its parts; what is assigned is read as what the module is made with.
    """

    signature: type[dspy.Signature]
    declared: Declared

    workflow = Kept[Workflow](lambda _, given: given_workflow(given))
    budget = Kept[Budget](lambda _, given: given_budget(given))
    seed = Kept[int](lambda _, given: given_seed(given))
    vote_on = Kept[tuple[str, ...]](lambda module, given: voted_fields(module.signature, given))

    def declare(self, declared: Declared) -> None:
        """Go by a declaration from now on, with a predictor for each of its stages.

        Predictors that are there stay, with what they have learnt; one that was told what its workflow says, and
        nothing else, is told what the new one says.

        Raises:
            WorkflowError, BudgetError: it can't be run; nothing is changed then.
        """
        with self._all_or_nothing():
            check_models(declared.workflow)
            before = {stage: self._usual(stage) for stage in STAGES if stage in self.__dict__}
            self.declared = declared
            self._make_predictors()
            for stage, usual in before.items():
                predictor = self.__dict__.get(stage)
                if predictor is None or predictor.signature.instructions != usual or usual == self._usual(stage):
                    continue
                told = copy(predictor)  # a shallow copy of the module keeps the other
                told.signature = predictor.signature.with_instructions(self._usual(stage))
                setattr(self, stage, told)

    def _make_predictors(self) -> None:
        """A predictor for each stage of the workflow; those that are there stay, and new ones have their LM."""
        there = {stage: self.__dict__.pop(stage) for stage in STAGES if stage in self.__dict__}
        lms = {id(predictor.lm): predictor.lm for predictor in there.values()}
        for stage in self.declared.stages:
            made = there.get(stage)
            if made is None:
                made = dspy.Predict(stage_signature(self.signature, stage, *self._told(stage, None)))
                made.lm = next(iter(lms.values())) if len(lms) == 1 else None
            setattr(self, stage, made)

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Inside, the module is changed; where that fails, it is as it was."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def load_state(self, state: Mapping[str, Any], *, allow_unsafe_lm_state: bool = False) -> None:
        """Take over what was saved: instructions, demonstrations, and the workflow and the budget it was saved with.

        Where those are others than the program was made with, a warning says so.

        Raises:
            WorkflowError: it was saved with another signature, or is no PDR program.
        """
        state = completed(self, state)
        saved = self.declared.read(state[STATE])
        if missing := [stage for stage in saved.stages if stage not in state]:
            problem = f"what is loaded has no state of {', '.join(missing)}"
            raise WorkflowError("program", problem, "Load what was saved of a PDR program with this workflow")
        self.declared.say_if_replaced_by(saved)
        with self._all_or_nothing():
            self.declared = saved
            self._make_predictors()
            super().load_state(state, allow_unsafe_lm_state=allow_unsafe_lm_state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state if STATE in state else with_declaration(state["signature"], state))

    def plan(self, context: int | None = None, helpers_think: bool = False) -> Plan:
        """Every call's caps, given the model's length in tokens (None: unknown) and whether it always thinks."""
        return plan(self.workflow, self.budget, context=context, helpers_think=helpers_think)

    def _told(self, stage: Stage, recommended: str | None) -> tuple[str, bool]:
        """A stage's instruction, and whether it is one that the embedded reasoner was trained on."""
        chosen = resolved(stage, getattr(self.workflow.prompts, stage), recommended)
        return instruction(stage, chosen), isinstance(chosen, str) and chosen in family(stage, REASONER)

    def _usual(self, stage: Stage) -> str:
        """What a stage's predictor is told before anybody gives it other instructions."""
        return stage_instructions(self.signature, stage, *self._told(stage, None))

    def _signatures(self, stages: Sequence[Stage], recommended: Recommended) -> dict[Stage, type[dspy.Signature]]:
        """The signature of each stage's predictor, with the instruction that the model's card recommends.

        One that somebody has given other instructions (an optimiser) stays as it is.
        """
        found: dict[Stage, type[dspy.Signature]] = {}
        for stage in stages:
            found[stage] = getattr(self, stage).signature
            usual, told = self._told(stage, None), self._told(stage, recommended.prompts)
            if told != usual and found[stage].instructions == self._usual(stage):
                found[stage] = found[stage].with_instructions(stage_instructions(self.signature, stage, *told))
        return found
