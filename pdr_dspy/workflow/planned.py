"""A plan: every call's caps, step after step. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pdr_dspy.budget import Budget
from pdr_dspy.workflow.schema import Workflow
from pdr_dspy.workflow.thinking import HelperThinking

Stage = Literal["draft", "refine", "distill", "pick", "analyse"]


@dataclass(frozen=True, slots=True)
class Caps:
    """One call's caps in tokens: on its thinking (None: no separate cap) and on what it writes after."""

    thinking: int | None
    answer: int

    @property
    def total(self) -> int:
        """The most tokens the call can generate."""
        return (self.thinking or 0) + self.answer


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One sequential step: `width` calls in parallel.

    Attributes:
        stage: What the calls do.
        round: Round they belong to (from 0); a distiller's call belongs to the round whose drafts it reads.
        width: Calls in parallel.
        caps: Caps of each call.
        quorum: Calls to wait for, or None for all.
        kappa: Bound of the workspace a helper call is made for, in tokens; None for drafts, refinements and the
            closing pick.
        wanted: What the workflow says of a helper's thinking; None where it says nothing.
    """

    stage: Stage
    round: int
    width: int
    caps: Caps
    quorum: int | None = None
    kappa: int | None = None
    wanted: HelperThinking = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A workflow with its budget shared out over its sequential steps."""

    workflow: Workflow
    budget: Budget
    steps: tuple[PlannedStep, ...]

    @property
    def path_tokens(self) -> int:
        """The most tokens the accepted path can generate."""
        return sum(step.caps.total for step in self.steps)

    @property
    def total_tokens(self) -> int:
        """The most tokens all calls together can generate."""
        return sum(step.width * step.caps.total for step in self.steps)

    @property
    def calls(self) -> int:
        """All calls."""
        return sum(step.width for step in self.steps)

    @property
    def seq_calls(self) -> int:
        """Calls that follow one another."""
        return len(self.steps)

    @property
    def depends_on_thinking(self) -> bool:
        """Whether it is another one for a model that thinks though it is told not to: a helper's thinking is open."""
        return any(step.stage not in ("draft", "refine") and step.wanted is None for step in self.steps)

    def tokens_after(self, index: int) -> int:
        """The most tokens the path can still generate after step `index` (to keep back from a `total` budget)."""
        return sum(step.caps.total for step in self.steps[index + 1 :])
