"""A run of a workflow without a model: predictors that answer, fail or hang as a test says, and put on record what a
call may at most have taken.

    asked = Asked(lambda call: Truncated("cut", "half") if call.stage == "distill" else None)   # None: a good answer
    run = asked.run(workflow, Budget(tokens=2000))
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dspy

from pdr_dspy import ledger
from pdr_dspy.budget import Budget, Spend
from pdr_dspy.calls import CallTag, current_tag
from pdr_dspy.errors import CallError
from pdr_dspy.modules.ask import CallContext
from pdr_dspy.modules.records import Draft, RunRecord
from pdr_dspy.modules.run import Run
from pdr_dspy.modules.signatures import STAGES, stage_signature
from pdr_dspy.modules.votes import make_ballot, voted_fields
from pdr_dspy.workflow import Plan, Stage, Workflow, plan
from pdr_dspy.workspace import ByteTokenizer

SIGNATURE = dspy.ensure_signature("problem -> answer")
BALLOT = make_ballot(voted_fields(SIGNATURE), None)
HANG = "hang"
Script = Callable[[CallTag], "CallError | str | None"]


@dataclass
class Asked:
    """What the calls of runs were and came to.

    Attributes:
        script: What a call comes to: an error, `HANG`, a text (of a helper), or None for a good answer.
        answers: The answers of the drafts that came.
        errors: (stage, index, kind) of the calls that failed.
        inputs: Every call's inputs, by stage.
        thinks_always: Whether the model is known to think though it is told not to.
        used: What a call generates of its cap.
    """

    script: Script = lambda tag: None
    answers: list[str] = field(default_factory=list)
    errors: list[tuple[str, int, str]] = field(default_factory=list)
    inputs: dict[str, list[Mapping[str, Any]]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    thinks_always: bool = False
    used: Callable[[CallTag, int], int] = lambda tag, cap: cap
    taken: ledger.Ledger = field(default_factory=ledger.Ledger)

    def run(self, workflow: Workflow, budget: Budget, made: Plan | None = None) -> Run:
        """A run of a workflow; to be made and solved on a loop."""
        signatures: dict[Stage, Any] = {s: stage_signature(SIGNATURE, s, f"Do {s}.") for s in STAGES}
        predictors: dict[str, Any] = {stage: Scripted(self, stage) for stage in STAGES}
        shared = CallContext(
            CallTag(problem="p"), 0, workflow.sampling, Spend(budget), ByteTokenizer(), None, lambda: self.thinks_always
        )
        made = made or plan(workflow, budget)
        self.running = Run(
            made, predictors, signatures, SIGNATURE, {"problem": "How many?"}, shared, self.taken, ballot=BALLOT
        )
        return self.running

    async def hang(self) -> None:
        """Never ends by itself: the clock stops soon after, whatever the machine took until then."""
        loop, clock = asyncio.get_running_loop(), self.running._clock._timeout
        assert clock is not None
        if clock.when() is not None and not clock.expired():
            clock.reschedule(loop.time() + 0.5)
        await asyncio.Event().wait()

    def solve(self, workflow: Workflow, budget: Budget) -> tuple[Draft, RunRecord]:
        """A whole run; raises what it raises."""

        async def solved() -> tuple[Draft, RunRecord]:
            with ledger.open_ledger() as self.taken, dspy.context(adapter=dspy.ChatAdapter()):
                run = self.run(workflow, budget)
                return await run.solve(), run.record()

        return asyncio.run(solved())


@dataclass
class Scripted:
    """A stage's predictor."""

    asked: Asked
    stage: str
    lm: None = None
    demos: tuple[()] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    async def acall(self, *, signature: Any, config: Mapping[str, Any], **inputs: Any) -> dspy.Prediction:
        """One call."""
        tag = current_tag()
        self.asked.inputs[self.stage].append(inputs)
        what = self.asked.script(tag)
        if what == HANG:
            await self.asked.hang()
        await asyncio.sleep(0)
        error = what if isinstance(what, CallError) else None
        ledger.record(_taken(tag, config["max_tokens"], self.asked.used(tag, config["max_tokens"]), error))
        if error is not None:
            self.asked.errors.append((tag.stage, tag.index, error.kind))
            raise error
        if self.stage in ("draft", "refine"):
            answer = what or f"{tag.stage} {tag.round}.{tag.index}"
            self.asked.answers.append(answer)
            return dspy.Prediction(solution=f"solution of {answer}", answer=answer)
        field = next(iter(signature.output_fields))
        if field == "picks":
            return dspy.Prediction(picks=list(range(1, inputs["count"] + 1)))
        return dspy.Prediction(**{field: what or f"a {field} as it should be"})


def _taken(tag: CallTag, cap: int, used: int, error: CallError | None) -> ledger.CallRecord:
    return ledger.CallRecord(
        call=uuid.uuid4().hex, attempt=0, run=tag.run, stage=tag.stage, step=tag.step, round=tag.round,
        index=tag.index, sample=tag.sample, problem=tag.problem, model="scripted", replica="",
        outcome=error.kind if error else "ok", finish="stop", prompt_tokens=9, completion_tokens=used,
        cached_tokens=None, thinking_tokens=None, reported=True, max_tokens=cap, requested_tokens=cap,
        thinking_budget=tag.thinking, seconds=0.1, first_token_seconds=None, started=0.0, replayed=False,
    )  # fmt: skip
