"""One run of a workflow on one problem: rounds of calls, step after step, everything on record.

The engine behind every strategy. It asks for drafts, hands them to the round's distiller, and closes; budgets come
from the plan and are enforced by each call's `max_tokens`. Knows nothing of how calls reach a model (`ask`).
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dspy

from pdr_dspy.calls import CallTag
from pdr_dspy.errors import CallError, Truncated, Unparseable, WorkflowFailed
from pdr_dspy.ledger import Ledger
from pdr_dspy.modules.ask import Desk, ask, call_seed
from pdr_dspy.modules.distillers import distiller, text_of, valid_picks
from pdr_dspy.modules.gather import gather
from pdr_dspy.modules.records import Draft, FailedCall, RoundRecord, RunRecord
from pdr_dspy.modules.signatures import own_field
from pdr_dspy.modules.votes import Ballot, majority
from pdr_dspy.workflow import Plan, PlannedStep, Round, Stage
from pdr_dspy.workspace import Tokenizer, bound, render_drafts
from pdr_dspy.written import written

_READING_MARGIN = 512
"""Tokens left for instructions and markers when drafts are fitted into the model's context for reading."""

Admit = Callable[[Mapping[str, Any], Sequence[Draft]], Awaitable[Sequence[Draft]]]
"""(The problem's inputs, a round's drafts) to the drafts its distiller may read, in the same order."""


class Run:
    """The state of one run. Make one, `await solve(...)`, read `record()`."""

    def __init__(
        self,
        plan: Plan,
        predictors: Mapping[str, dspy.Predict],
        signatures: Mapping[Stage, type[dspy.Signature]],
        signature: type[dspy.Signature],
        inputs: Mapping[str, Any],
        desk: Desk,
        ledger: Ledger,
        admit: Admit | None = None,
        *,
        ballot: Ballot,
    ) -> None:
        self._plan = plan
        self._predictors = predictors
        self._signatures = signatures
        self._signature = signature
        self._inputs = dict(inputs)
        self._desk = replace(desk, tag=replace(desk.tag, run=uuid.uuid4().hex))
        self._ledger = ledger
        self._admit = admit
        self._ballot = ballot
        self._steps = list(enumerate(plan.steps))
        self._rounds: list[RoundRecord] = []
        self._failed: list[FailedCall] = []

    @property
    def tokenizer(self) -> Tokenizer:
        """The served model's tokenizer."""
        return self._desk.tokenizer

    def record(self) -> RunRecord:
        """What has been done so far."""
        return RunRecord(self._plan, tuple(self._rounds), tuple(self._failed), self._ledger.records)

    async def solve(self) -> Draft:
        """Run the whole workflow. Returns the accepted draft.

        Raises:
            WorkflowFailed: a stage was left with nothing.
            EndpointError: the endpoint as a whole can't be used.
        """
        rounds = self._plan.workflow.rounds
        workspaces: list[str | None] = [""] * rounds[0].width
        drafts: list[Draft] = []
        for number, this in enumerate(rounds):
            drafts = await self._draw(number, this, workspaces)
            if this.distill is not None:
                width = rounds[number + 1].width
                kept = drafts if self._admit is None else await self._admit(self._inputs, drafts)
                if not kept:
                    # Nobody was let in: there is nothing to distil, and the next round begins anew.
                    workspaces = [""] * width
                    continue
                try:
                    workspaces = await distiller(this.distill)(kept, width, self)
                except CallError as error:
                    raise self._give_up(f"distiller of round {number + 1}", error) from error
                if all(w is None for w in workspaces):
                    raise self._give_up(f"distiller of round {number + 1}", Unparseable("every branch's pick failed"))
        return await self._close(drafts)

    async def _draw(self, number: int, this: Round, workspaces: Sequence[str | None]) -> list[Draft]:
        place, step = self._next("draft" if number == 0 else "refine")
        branches = [(i, w) for i, w in enumerate(workspaces) if w is not None]
        work = [self._draft(place, step, i, w) for i, w in branches]
        results = await gather(work, this.quorum)
        drafts = [r for r in results if isinstance(r, Draft)]
        failed = [
            FailedCall(step.stage, i, r.kind, str(r))
            for (i, _), r in zip(branches, results, strict=True)
            if isinstance(r, CallError)
        ]
        self._failed.extend(failed)
        self._rounds.append(RoundRecord(tuple(w for _, w in branches), tuple(drafts), tuple(failed)))
        if not drafts:
            last = next(r for r in reversed(results) if isinstance(r, CallError))
            raise self._give_up(f"round {number + 1}", last, noted=True) from last
        return drafts

    async def _draft(self, place: int, step: PlannedStep, index: int, workspace: str) -> Draft:
        inputs = dict(self._inputs)
        if step.stage == "refine":
            inputs[own_field(self._signature, "workspace")] = workspace
        prediction, read = await self._asked(place, step, index, inputs)
        solution = own_field(self._signature, "solution")
        outputs = {name: prediction[name] for name in self._signature.output_fields}
        return Draft(index, written(str(prediction[solution])), outputs, read)

    async def _ask(self, place: int, step: PlannedStep, index: int, inputs: Mapping[str, Any]) -> dspy.Prediction:
        return (await self._asked(place, step, index, inputs))[0]

    async def _asked(
        self, place: int, step: PlannedStep, index: int, inputs: Mapping[str, Any]
    ) -> tuple[dspy.Prediction, str]:
        tag = replace(self._desk.tag, stage=step.stage, step=place, round=step.round, index=index)
        keep = self._plan.tokens_after(place)
        predictor, signature = self._predictors[step.stage], self._signatures[step.stage]
        return await ask(predictor, signature, inputs, desk=self._desk, tag=tag, caps=step.caps, keep=keep)

    # What distillers and the closing step ask for (`Crew`).

    async def distill(self, drafts: Sequence[str], limit: int) -> str:
        """One summary of the drafts."""
        place, step = self._next("distill")
        field = own_field(self._signature, "workspace")
        inputs = {
            **self._inputs,
            own_field(self._signature, "drafts"): await self._readable(drafts, step),
            own_field(self._signature, "limit"): limit,
        }
        try:
            return str((await self._ask(place, step, 0, inputs))[field])
        except Truncated as error:
            self._failed.append(FailedCall(step.stage, 0, error.kind, str(error)))
            raise Truncated(str(error), error.text.split(f"[[ ## {field} ## ]]")[-1]) from error

    async def pick(self, drafts: Sequence[str], count: int, index: int) -> list[int]:
        """Places of the `count` best drafts."""
        place, step = self._here("pick") if index else self._next("pick")
        inputs = {
            **self._inputs,
            own_field(self._signature, "drafts"): await self._readable(drafts, step),
            own_field(self._signature, "count"): count,
        }
        prediction = await self._ask(place, step, index, inputs)
        return valid_picks(prediction[own_field(self._signature, "picks")], len(drafts), count)

    async def analyse(self, draft: str) -> str:
        """What is wrong with a draft."""
        place, step = self._next("analyse")
        inputs = {**self._inputs, own_field(self._signature, "draft"): draft}
        return str((await self._ask(place, step, 0, inputs))[own_field(self._signature, "analysis")])

    async def together(self, work: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Run calls in parallel; None in the place of one that failed."""
        results = await gather(work)
        for index, result in enumerate(results):
            if isinstance(result, CallError):
                self._failed.append(FailedCall("pick", index, result.kind, str(result)))
        return [None if isinstance(r, CallError) else r for r in results]

    def random(self, index: int) -> random.Random:
        """A generator of this round's and branch's own."""
        tag = replace(self._desk.tag, stage="random", round=len(self._rounds), index=index)
        return random.Random(call_seed(self._desk.seed, 0, tag))

    async def _close(self, drafts: list[Draft]) -> Draft:
        if self._plan.workflow.close == "vote":
            return await majority(drafts, self._ballot)
        if self._plan.workflow.close == "single" or len(drafts) == 1:
            return drafts[0]
        try:
            return drafts[(await self.pick([text_of(d) for d in drafts], 1, 0))[0]]
        except CallError as error:
            raise self._give_up("closing pick", error) from error

    async def _readable(self, drafts: Sequence[str], step: PlannedStep) -> str:
        """The drafts as the model reads them, fitted into its context (an equal share of what is left for each)."""
        text = render_drafts(list(drafts))
        context = self._desk.context
        if context is None or len(text.encode()) + step.caps.total + _READING_MARGIN <= context:
            return text
        problem = "\n".join(str(v) for v in self._inputs.values())

        def fit() -> str:
            room = context - step.caps.total - _READING_MARGIN - self.tokenizer.count(problem)
            if self.tokenizer.count(text) <= room:
                return text
            share = max(1, room // len(drafts) - 16)
            return render_drafts([bound(d, share, self.tokenizer) for d in drafts])

        return await asyncio.to_thread(fit)

    def _next(self, stage: str) -> tuple[int, PlannedStep]:
        """The next planned step of this stage. Steps of a stage that needed no call are passed over."""
        while self._steps:
            place, step = self._steps.pop(0)
            if step.stage == stage:
                self._at = (place, step)
                return place, step
        raise AssertionError(f"the plan has no {stage} step left")

    def _here(self, stage: str) -> tuple[int, PlannedStep]:
        place, step = self._at
        assert step.stage == stage
        return place, step

    def _give_up(self, stage: str, error: CallError, noted: bool = False) -> WorkflowFailed:
        if not noted:
            self._failed.append(FailedCall(stage, 0, error.kind, str(error)))
        return WorkflowFailed(stage, error, self.record())


def run_tag(tag: CallTag) -> CallTag:
    """The part of an outer tag that a run keeps: which problem and which repetition."""
    return CallTag(sample=tag.sample, problem=tag.problem)
