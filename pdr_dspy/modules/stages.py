"""The calls of a run, stage by stage: what each reads, with which caps, and what is made of its answer.

Takes the plan's steps in their order. Also the `HelperCalls` of the distillers. Knows nothing of what follows what.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import dspy

from pdr_dspy.errors import BudgetExhausted, CallError, EmptyAnswer, Truncated, Unparseable
from pdr_dspy.formats import Unread, read
from pdr_dspy.ledger import Ledger
from pdr_dspy.modules.afforded import left_over, once_more, with_thinking
from pdr_dspy.modules.ask import Answer, CallContext, ask, call_seed
from pdr_dspy.modules.distillers import valid_picks
from pdr_dspy.modules.fitting import readable
from pdr_dspy.modules.gather import gather
from pdr_dspy.modules.named_calls import call_name
from pdr_dspy.modules.progress import Progress, say
from pdr_dspy.modules.recording import Recorder
from pdr_dspy.modules.records import Draft
from pdr_dspy.modules.signatures import own_field
from pdr_dspy.modules.streaming import tell, unheard
from pdr_dspy.workflow import Caps, Plan, PlannedStep, Stage
from pdr_dspy.workspace import Tokenizer
from pdr_dspy.written import written, written_in


class Stages:
    """The calls of one run.

    Args:
        plan: The run's plan.
        predictors: Each stage's predictor.
        signatures: The signature each of them is to follow.
        signature: The user's.
        inputs: The problem.
        shared: What the calls share.
        ledger: What they have taken.
        recorder: Takes down what fails.
        shown: Inputs of a stage beside the problem's, or in the place of one of them.
    """

    def __init__(
        self,
        plan: Plan,
        predictors: Mapping[str, dspy.Predict],
        signatures: Mapping[Stage, type[dspy.Signature]],
        signature: type[dspy.Signature],
        inputs: Mapping[str, Any],
        shared: CallContext,
        ledger: Ledger,
        recorder: Recorder,
        shown: Mapping[Stage, Mapping[str, Any]] | None = None,
    ) -> None:
        self._plan = plan
        self._predictors = predictors
        self._signatures = signatures
        self._signature = signature
        self._inputs = dict(inputs)
        self._shown = shown or {}
        self._shared = shared
        self._ledger = ledger
        self._recorder = recorder
        self._falls = plan.workflow.fallback == "on"
        self._steps = list(enumerate(plan.steps))
        self._decided: dict[int, Caps] = {}
        self._answering = plan.workflow.answering

    @property
    def tokenizer(self) -> Tokenizer:
        """The served model's tokenizer."""
        return self._shared.tokenizer

    def next(self, stage: Stage) -> tuple[int, PlannedStep]:
        """The next planned step of this stage, with its place. Steps of a stage that needed no call are passed over."""
        while self._steps:
            place, step = self._steps.pop(0)
            if step.stage == stage:
                self._at = (place, step)
                return place, step
        raise AssertionError(f"the plan has no {stage} step left")

    async def draft(self, place: int, step: PlannedStep, index: int, workspace: str) -> Draft:
        """One draft or refinement."""
        inputs = self._given(step.stage)
        if step.stage == "refine":
            inputs[own_field(self._signature, "workspace")] = workspace
        prediction, how, cut = await self._asked(place, step, index, inputs, step.caps)
        solution = own_field(self._signature, "solution")
        outputs = {name: prediction[name] for name in self._signature.output_fields}
        if step.stage != self._answering:  # the run says which of those it accepts
            tell(self._predictors[step.stage], dict(prediction.items()))
        return Draft(index, written_in(str(prediction[solution])), outputs, how, cut)

    # What distillers and the closing step ask for (`HelperCalls`).

    async def distill(self, drafts: Sequence[str], limit: int) -> str:
        """One summary of the drafts."""
        place, step = self.next("distill")
        own = {own_field(self._signature, "limit"): limit}
        with self._salvaging(step.stage, "workspace"), self._recorder.noting(step.stage, 0):
            inputs = await self._reading(drafts, place, step, own)
            return self._text(await self._ask(place, step, 0, inputs), "workspace")

    async def pick(self, drafts: Sequence[str], count: int, index: int) -> list[int]:
        """Places of the `count` best drafts."""
        place, step = self._here("pick") if index else self.next("pick")
        own = {own_field(self._signature, "count"): count}
        with self._recorder.noting(step.stage, index):
            inputs = await self._reading(drafts, place, step, own)
            prediction = await self._ask(place, step, index, inputs)
            return valid_picks(prediction[own_field(self._signature, "picks")], len(drafts), count)

    async def analyse(self, draft: str) -> str:
        """What is wrong with a draft."""
        place, step = self.next("analyse")
        inputs = {**self._given(step.stage), own_field(self._signature, "draft"): draft}
        with self._salvaging(step.stage, "analysis"), self._recorder.noting(step.stage, 0):
            return self._text(await self._ask(place, step, 0, inputs), "analysis")

    async def together(self, work: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Run calls in parallel; None in the place of one that failed."""
        results = await gather(work)
        for index, result in enumerate(results):
            if isinstance(result, CallError) and self._falls:
                self._recorder.replaced("random", index)
        return [None if isinstance(r, CallError) else r for r in results]

    def random(self, index: int) -> random.Random:
        """A generator of this round's and branch's own."""
        tag = replace(self._shared.tag, stage="random", round=len(self._recorder.rounds), index=index)
        return random.Random(call_seed(self._shared.seed, 0, tag))

    async def _ask(self, place: int, step: PlannedStep, index: int, inputs: Mapping[str, Any]) -> dspy.Prediction:
        """A helper call; asked once more where it came to nothing because the model thinks though it is told not to."""
        caps = self._caps(place, step)
        if not index:  # parallel picks are one step
            say(Progress(step.stage, step.round, 0, 1))
        try:
            prediction = (await self._asked(place, step, index, inputs, caps)).prediction
            tell(self._predictors[step.stage], dict(prediction.items()))
            return prediction
        except (EmptyAnswer, Truncated) as error:
            if caps.thinking is not None or written(error.text) or not self._may_think(step):
                raise
            again = once_more(step, left_over(self._plan, place, self._ledger.records))
            if again is None:
                raise
            try:
                found = (await self._asked(place, step, index, inputs, again, second=True)).prediction
            except BudgetExhausted:  # of the problem's total, or its clock; it was not sent
                raise error from None
            except BaseException:
                self._recorder.failure(step.stage, index, error)
                raise
            self._recorder.failure(step.stage, index, error)
            return found

    async def _asked(
        self,
        place: int,
        step: PlannedStep,
        index: int,
        inputs: Mapping[str, Any],
        caps: Caps,
        second: bool = False,
    ) -> Answer:
        # It follows the first call: a step of its own.
        number = place + len(self._plan.steps) if second else place
        tag = replace(self._shared.tag, stage=step.stage, step=number, round=step.round, index=index)
        keep = self._plan.tokens_after(place)
        predictor, signature = self._predictors[step.stage], self._signatures[step.stage]
        name = call_name(self._plan.workflow, step, index) + " (again)" * second
        with unheard():
            return await ask(
                predictor, signature, inputs, shared=self._shared, tag=tag, caps=caps, keep=keep, name=name
            )

    def _given(self, stage: Stage) -> dict[str, Any]:
        return {**self._inputs, **self._shown.get(stage, {})}

    def _may_think(self, step: PlannedStep) -> bool:
        """Whether a helper call gets tokens to think with that the plan does not have."""
        return step.caps.thinking is None and step.wanted is None and self._shared.thinks_always()

    def _caps(self, place: int, step: PlannedStep) -> Caps:
        """The caps of a step's calls: the same for all of them, whatever is found out while they are under way."""
        if place not in self._decided:
            room = left_over(self._plan, place, self._ledger.records)
            self._decided[place] = with_thinking(step, room) if self._may_think(step) else step.caps
        return self._decided[place]

    async def _reading(
        self, drafts: Sequence[str], place: int, step: PlannedStep, own: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The inputs of a helper that reads drafts."""
        field = own_field(self._signature, "drafts")
        return await readable(
            drafts,
            lambda text: {**self._given(step.stage), field: text, **own},
            self._predictors[step.stage],
            self._signatures[step.stage],
            cap=self._caps(place, step).total,
            context=self._shared.context,
            tokenizer=self.tokenizer,
        )

    def _text(self, prediction: dspy.Prediction, name: str) -> str:
        return str(prediction[own_field(self._signature, name)])

    @contextmanager
    def _salvaging(self, stage: Stage, name: str) -> Iterator[None]:
        """A helper's text that was cut or could not be read leaves with its error, without the format's marks."""
        try:
            yield
        except (Truncated, Unparseable) as error:
            text = ""
            with contextlib.suppress(Unread):  # then nothing was written
                signature = self._signatures[stage]
                found, _ = read(signature, written(error.text, signature.output_fields), finished=False)
                text = str(found[own_field(self._signature, name)])
            raise type(error)(str(error), text) from error

    def _here(self, stage: str) -> tuple[int, PlannedStep]:
        place, step = self._at
        assert step.stage == stage
        return place, step
