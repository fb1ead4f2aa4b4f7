"""The workflows that rollouts are runs of. Pure.

A group is one run whose last round is as wide as the group, so that all its rollouts have one prompt: the problem
(`trace`), or the problem and one workspace distilled from fresh drafts (`operator`). In mode `distill` the group's
prompt is the distil call's: the same drafts, distilled and refined as often as the group is wide.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pdr_dspy.workflow import Prompts, Round, Sampling, Summary, Workflow
from pdr_dspy.workflow.thinking import HelperThinking
from pdr_dspy.workflow.values import Frozen, rule

Mode = Literal["trace", "operator", "distill"]
MODES: tuple[Mode, ...] = ("trace", "operator", "distill")

Tokens = Annotated[int, Field(ge=1)]


class Caps(Frozen):
    """Caps of one call, in tokens."""

    thinking: int | None = Field(default=None, ge=0, description="cap on thinking; null: none of its own")
    answer: Tokens = Field(description="cap on what comes after it")

    @property
    def total(self) -> int:
        """Tokens the call may generate."""
        return (self.thinking or 0) + self.answer


class Shape(Frozen):
    """What one rollout is, in the terms of a workflow.

    `group`: rollouts of one prompt (32 in the paper). `drafts`: M, drafts a workspace is distilled from (4).
    """

    group: int = Field(default=32, ge=2, description="rollouts a prompt")
    drafts: int = Field(default=4, ge=2, description="M: drafts that are distilled into a workspace")
    trace: Caps
    draft: Caps
    refine: Caps
    workspace: int = Field(default=1024, ge=1, description="kappa: the most tokens of a workspace")
    distill_thinking: HelperThinking = Field(default=None, description="tokens the distil call may think, or off")
    sampling: Sampling = Sampling(temperature=1.0)
    prompts: Prompts = Prompts()

    @model_validator(mode="after")
    def _whole_distribution(self) -> Self:
        if not self.sampling.temperature:
            mend = "Write a temperature above 0, such as 1.0"
            raise rule(("sampling", "temperature"), "rollouts need one, for the trainer has to know it", mend)
        if self.sampling.top_p not in (None, 1.0):
            mend = "Leave it out"
            raise rule(("sampling", "top_p"), "the trainer computes the whole distribution", mend)
        return self

    @property
    def temperature(self) -> float:
        """What rollouts are drawn at; above 0."""
        assert self.sampling.temperature is not None
        return self.sampling.temperature

    def workflow(self, mode: Mode) -> Workflow:
        """The workflow of a group; in mode `distill` of one of its rollouts."""
        if mode == "trace":
            return self._of(mode, _round(self.group, self.trace))
        last = self.group if mode == "operator" else 1
        return self._of(mode, self._drafts(), _round(last, self.refine))

    def drafts_alone(self) -> Workflow:
        """The drafts that a group of mode `distill` shares."""
        return self._of("drafts", _round(self.drafts, self.draft))

    def _drafts(self) -> Round:
        summary = Summary(tokens=self.workspace, thinking=self.distill_thinking)
        return _round(self.drafts, self.draft).model_copy(update={"distill": summary})

    def _of(self, name: str, *rounds: Round) -> Workflow:
        return Workflow(
            name=name,
            rounds=rounds,
            close="vote" if rounds[-1].width > 1 else "single",
            sampling=self.sampling,
            prompts=self.prompts,
        )


def _round(width: int, caps: Caps) -> Round:
    return Round(width=width, thinking=caps.thinking, answer=caps.answer)
