"""One run of a workflow on one problem: rounds of calls, step after step, everything on record.

The engine behind every strategy. It asks for drafts, hands them to the round's distiller, and closes; budgets come
from the plan and are enforced by each call's `max_tokens`. Where a helper, a whole round or the clock fails, it goes on
with what is there (`fallbacks`), unless the workflow says `fallback: off`. Knows nothing of how calls reach a model
(`ask`).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dspy

from pdr_dspy.calls import CallTag
from pdr_dspy.errors import CallError, Truncated, Unparseable, WorkflowFailed
from pdr_dspy.ledger import Ledger
from pdr_dspy.modules.ask import CallContext
from pdr_dspy.modules.distillers import distiller, text_of
from pdr_dspy.modules.fallbacks import Fallback, drawn, left, stand_in
from pdr_dspy.modules.gather import gather
from pdr_dspy.modules.progress import telling
from pdr_dspy.modules.recording import Clock, Recorder
from pdr_dspy.modules.records import Draft, RunRecord, told
from pdr_dspy.modules.stages import Stages
from pdr_dspy.modules.votes import Ballot, majority
from pdr_dspy.workflow import Distill, Plan, Round, Stage, Summary

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
        shared: CallContext,
        ledger: Ledger,
        admit: Admit | None = None,
        *,
        ballot: Ballot,
        shown: Mapping[Stage, Mapping[str, Any]] | None = None,
    ) -> None:
        shared = replace(shared, tag=replace(shared.tag, run=uuid.uuid4().hex))
        self._plan = plan
        self._inputs = dict(inputs)
        self._ledger = ledger
        self._admit = admit
        self._ballot = ballot
        self._clock = Clock(shared.spend)
        self._recorder = Recorder(self._clock)
        self._stages = Stages(plan, predictors, signatures, signature, inputs, shared, ledger, self._recorder, shown)
        self._falls = plan.workflow.fallback == "on"
        self._accepted: Draft | None = None

    def record(self) -> RunRecord:
        """What has been done so far."""
        return RunRecord(
            self._plan,
            tuple(self._recorder.rounds),
            tuple(self._recorder.failed),
            self._ledger.records,
            accepted=self._accepted,
            voted=dict(self._ballot.equal),
        )

    async def solve(self) -> Draft:
        """Run the whole workflow. Returns the accepted draft.

        Raises:
            WorkflowFailed: no draft came, or a step was left with nothing and the workflow does not fall back.
            EndpointError: the endpoint as a whole can't be used.
        """
        try:
            async with self._clock:
                self._accepted = await self._through()
            return self._accepted
        except TimeoutError:
            if not self._clock.stopped:
                raise
        late, failed = self._clock.late(), self._recorder.failed
        if not failed or failed[-1].detail != str(late):  # no call was under way
            self._recorder.failure("run", 0, late)
        self._accepted = await self._settled("run", late, "best")
        return self._accepted

    async def _through(self) -> Draft:
        rounds = self._plan.workflow.rounds
        workspaces: list[str | None] = [""] * rounds[0].width
        drafts: list[Draft] = []
        for number, this in enumerate(rounds):
            drafts, error = await self._draw(number, this, workspaces)
            if error is not None:
                return await self._settled(f"round {number + 1}", error, self._last_resort(error))
            if this.distill is None:
                continue
            width = rounds[number + 1].width
            kept = drafts if self._admit is None else await self._admit(self._inputs, drafts)
            if not kept:
                # Nobody was let in: there is nothing to distil, and the next round begins anew.
                workspaces = [""] * width
                continue
            try:
                workspaces = await self._distilled(this.distill, kept, width)
            except CallError as failure:
                return await self._settled(f"distiller of round {number + 1}", failure, "best")
        return await self._close(drafts)

    async def _draw(
        self, number: int, this: Round, workspaces: Sequence[str | None]
    ) -> tuple[list[Draft], CallError | None]:
        """A round's drafts, or the error of its last call where there are none."""
        place, step = self._stages.next("draft" if number == 0 else "refine")
        branches = [(i, w) for i, w in enumerate(workspaces) if w is not None]
        sizes = await self._sizes([w for _, w in branches])
        came: dict[int, Draft | CallError] = {}
        try:
            calls = [self._stages.draft(place, step, i, w) for i, w in branches]
            results = await gather(telling(step.stage, number, calls), this.quorum, came)
        except asyncio.CancelledError:
            if self._clock.stopped:  # what had come by then is used
                ended = [came.get(n, self._clock.late()) for n in range(len(branches))]
                self._recorder.round(step.stage, branches, ended, sizes)
            raise
        drafts = self._recorder.round(step.stage, branches, results, sizes)
        if drafts:
            return drafts, None
        return [], next(r for r in reversed(results) if isinstance(r, CallError))

    async def _sizes(self, workspaces: Sequence[str]) -> tuple[int | None, ...]:
        """Tokens of workspaces; None where the server that counts them fails."""
        if not any(workspaces):
            return (0,) * len(workspaces)
        count = self._stages.tokenizer.count  # it knows them: they were fitted into kappa
        try:
            known = await asyncio.to_thread(lambda: {text: count(text) for text in set(workspaces)})
        except CallError:
            return (None,) * len(workspaces)
        return tuple(known[text] for text in workspaces)

    async def _distilled(self, spec: Distill, drafts: Sequence[Draft], width: int) -> list[str | None]:
        """The next round's workspaces, by the distiller or what stands in for it.

        Raises:
            CallError: there are none.
        """
        try:
            made = await distiller(spec)(drafts, width, self._stages)
        except CallError as error:
            # A summary that ran past kappa is still a summary, whether the workflow falls back or not: its first kappa
            # tokens are the workspace.
            cut = isinstance(spec, Summary) and isinstance(error, Truncated) and bool(left(error))
            if self._clock.ended(error) or not (self._falls or cut):
                raise
            fallback, instead = await stand_in(spec, drafts, width, self._stages, error)
            if self._falls:
                self._recorder.replaced(fallback)
            return list(instead)
        if None in made and self._falls:
            others = await drawn(spec, drafts, width, self._stages)
            return [other if own is None else own for own, other in zip(made, others, strict=True)]
        if all(workspace is None for workspace in made):
            raise Unparseable("every branch's pick failed")
        return made

    async def _close(self, drafts: list[Draft]) -> Draft:
        if self._falls and not any(draft.ended for draft in drafts) and (before := self._recorder.before):
            # Refinements that were cut off while they went on: what they mention on the way is not their answer.
            index, text = drafts[-1].index, drafts[-1].solution
            self._recorder.failure("refine", index, Truncated("it was cut off behind an answer it mentioned", text))
            self._recorder.replaced("vote")
            return await majority(before, self._ballot)
        if self._plan.workflow.closing == "vote":
            return await majority(drafts, self._ballot)
        if self._plan.workflow.closing == "single" or len(drafts) == 1:
            return drafts[0]
        try:
            return drafts[(await self._stages.pick([text_of(d) for d in drafts], 1, 0))[0]]
        except CallError as error:
            return await self._settled("closing pick", error, self._last_resort(error))

    def _last_resort(self, error: CallError) -> Fallback:
        return "best" if self._clock.ended(error) else "vote"

    async def _settled(self, stage: str, error: CallError, fallback: Fallback) -> Draft:
        """The vote over the last round that has drafts, where a step was left with nothing.

        Raises:
            WorkflowFailed: there is none, or the workflow does not fall back.
        """
        if not self._falls or not self._recorder.last:
            raise WorkflowFailed(stage, error, self.record(), told(self._recorder.failed)) from error
        self._recorder.replaced(fallback)
        return await majority(self._recorder.last, self._ballot)


def run_tag(tag: CallTag) -> CallTag:
    """The part of an outer tag that a run keeps: which problem and which repetition."""
    return CallTag(sample=tag.sample, problem=tag.problem)
