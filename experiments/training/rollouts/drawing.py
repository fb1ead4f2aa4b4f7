"""Groups of rollouts: runs of the library's own modules, and the tokens of the calls that are trained."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dspy

from experiments.training.rollouts.exchanges import Recorded, SharedDrafts
from experiments.training.rollouts.reward import Reward
from experiments.training.rollouts.shapes import Mode, Shape
from experiments.training.rollouts.tokens import Part, Tokens, joined
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.data import Dataset, Problem
from pdr_dspy.embedded.jobs import ThinkTokens
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import EndpointError, WorkflowFailed
from pdr_dspy.modules import PDR, RunRecord
from pdr_dspy.modules.prediction import with_run
from pdr_dspy.modules.records import told
from pdr_dspy.workflow import Workflow

TRAINED = {"trace": "draft", "operator": "refine", "distill": "distill"}
"""The stage whose calls are trained, by mode."""

TRIES = 3
"""Runs of a group before it is given up. Seeds of two groups are further apart than that."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One sequence with its worth."""

    mode: Mode
    tokens: Tokens
    reward: float
    right: bool


class Rollouts:
    """Draws groups from a policy.

    Args:
        endpoint: The policy, opened by `open_policy`.
        recorded: Where its calls are kept.
        shared: The store it was opened with.
        dataset: The problems' signature and grader.
        shape: What a rollout is.
        reward: What it is worth.
        thinking: The tokens around a thinking; None: the model has none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        recorded: Recorded,
        shared: SharedDrafts,
        dataset: Dataset,
        shape: Shape,
        reward: Reward,
        thinking: ThinkTokens | None,
    ) -> None:
        self._endpoint = endpoint
        self._recorded = recorded
        self._shared = shared
        self._signature = dataset.signature
        self._shape = shape
        self._reward = reward
        self._thinking = thinking

    async def group(self, mode: Mode, problem: Problem, seed: int) -> list[Rollout]:
        """As many rollouts as a group has, of one prompt; none where no call that is trained came about.

        Where all drafts of a problem fail, nothing is distilled and nothing refined.

        Args:
            mode: What is trained.
            problem: The problem.
            seed: Of all sampling: the same one gives the same group from the same policy. Groups that are drawn at
                the same time need seeds that are more than `TRIES` apart.

        Raises:
            EndpointError: the policy can't be asked, or left a rollout without an answer time and again.
        """
        last = ""
        for attempt in range(TRIES):
            name = f"{mode}/{problem.id}/{seed}/{attempt}"
            self._recorded.watch(name)
            try:
                outputs, failed = await self._outputs(mode, problem, seed + attempt, name)
            finally:
                calls = self._calls(mode, self._recorded.taken(name))
            places = range(self._shape.group)
            if all(place in calls for place in places):
                scores = await asyncio.gather(*(self._reward(problem, outputs.get(place)) for place in places))
                return [Rollout(mode, calls[i], score.reward, score.right) for i, score in enumerate(scores)]
            last = failed or last
        if not calls:
            return []
        raise EndpointError(
            "endpoint", f"{TRIES} runs of {problem.id} ({mode}) left rollouts without an answer: {last}", "Mend that"
        )

    async def _outputs(
        self, mode: Mode, problem: Problem, seed: int, name: str
    ) -> tuple[dict[int, Mapping[str, Any]], str]:
        """The output fields of each rollout that gave any, by its place in the group; and what failed, in words."""
        if mode != "distill":
            workflow = self._shape.workflow(mode)
            record = await self._run(workflow, problem, seed, name)
            drafts = record.rounds[-1].drafts if len(record.rounds) == len(workflow.rounds) else ()
            return {draft.index: draft.outputs for draft in drafts}, told(record.failed)
        self._shared.share(name)
        try:
            await self._run(self._shape.drafts_alone(), problem, seed, name)
            workflow = self._shape.workflow(mode)
            runs = (self._run(workflow, problem, seed, name, sample) for sample in range(self._shape.group))
            records = await asyncio.gather(*runs)
        finally:
            self._shared.forget(name)
        last = {sample: record.rounds[-1] for sample, record in enumerate(records) if len(record.rounds) == 2}
        failed = [one for record in records for one in record.failed]
        return {sample: each.drafts[0].outputs for sample, each in last.items() if each.drafts}, told(failed)

    async def _run(self, workflow: Workflow, problem: Problem, seed: int, name: str, sample: int = 0) -> RunRecord:
        program = PDR(self._signature, workflow, seed=seed)
        place = CallTag(problem=name, sample=sample)
        with tagged(place), dspy.context(lm=self._endpoint.lm, disable_history=True, trace=[]):
            try:
                prediction = await program.acall(**problem.inputs)
            except WorkflowFailed as failed:  # nothing usable: its calls are trained all the same
                if not isinstance(failed.record, RunRecord):
                    raise
                return failed.record
        found: RunRecord = next(value for value in with_run(prediction).values() if isinstance(value, RunRecord))
        return found

    def _calls(self, mode: Mode, kept: Sequence[tuple[CallTag, Part]]) -> dict[int, Tokens]:
        """The trained calls' tokens, by their rollout's place in the group."""
        parts: dict[int, list[Part]] = {}
        caps: dict[int, int | None] = {}
        for tag, part in kept:
            if tag.stage == TRAINED[mode]:
                place = tag.sample if mode == "distill" else tag.index
                parts.setdefault(place, []).append(part)
                caps[place] = tag.thinking
        return {place: joined(of, self._thinking, caps[place]) for place, of in parts.items()}
