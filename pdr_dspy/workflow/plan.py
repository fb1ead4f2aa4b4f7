"""From a workflow and a budget to every call's caps: pure arithmetic, done before a token is spent.

The sequential steps of a workflow are known beforehand, so a budget along the path (`tokens`) becomes a cap for each of
them, and the sum of the caps can't exceed it. Knows nothing of calls, endpoints or text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal

from pdr_dspy.budget import Budget
from pdr_dspy.errors import BudgetError, WorkflowError
from pdr_dspy.workflow.schema import Analysis, Round, Summary, Top, Workflow

Stage = Literal["draft", "refine", "distill", "pick", "analyse"]

MARKERS = 24
"""Tokens a helper call may spend on the markers around its field."""

PICK = 16
"""Tokens the numbers of up to four picked drafts take; more drafts take `PER_PICK` each."""

PER_PICK = 4
ANSWER = 2048
"""Tokens of a draft after its thinking, where neither round nor budget says less (the paper's buffer)."""

THINKING = 16_384
"""Thinking tokens of a draft where neither round nor budget says (the paper's middle setting)."""

LEAST = 32
"""Fewest tokens of a call whose caps are open: half for thinking, half for the answer."""


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
    """

    stage: Stage
    round: int
    width: int
    caps: Caps
    quorum: int | None = None
    kappa: int | None = None


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

    def tokens_after(self, index: int) -> int:
        """The most tokens the path can still generate after step `index` (to keep back from a `total` budget)."""
        return sum(step.caps.total for step in self.steps[index + 1 :])


def plan(workflow: Workflow, budget: Budget, *, context: int | None = None) -> Plan:
    """Share a budget out over a workflow's steps.

    Caps that a round states are kept. Helper calls get what their output takes. What is left of `share` of the budget's
    `tokens` goes in equal parts to the calls whose caps are open, no more than half of a part (nor than 2048) to the
    answer. Without a `tokens` budget, open caps are 16384 of thinking and 2048 of answer.

    Args:
        workflow: The workflow.
        budget: The problem's budget.
        context: The model's length in tokens, where known; no call's caps exceed what it leaves.

    Raises:
        BudgetError: the workflow can't fit into the budget; says what the smallest budget is that would do.
        WorkflowError: a workspace as long as the model's context.
    """
    limit = None if context is None else _limit(workflow, context)
    helpers = dict(_helpers(workflow, limit))
    rest = None if budget.tokens is None else _rest(workflow, budget.tokens, list(helpers.values()), limit)
    steps: list[PlannedStep] = []
    for i, r in enumerate(workflow.rounds):
        share = _open_total(r) if rest is None else max(_least(r), min(rest, _most(r)))
        caps = _clip(_split(r, share), limit)
        steps.append(PlannedStep("draft" if i == 0 else "refine", i, r.width, caps, quorum=r.quorum))
        if i in helpers:
            steps.append(helpers[i])
    made = Plan(workflow, budget, tuple(steps))
    if budget.total is not None and made.path_tokens > budget.total:
        raise BudgetError(
            "budget.total",
            f"{budget.total} tokens are too few for one call of each step, which may generate {made.path_tokens}",
            f"Leave room for prompts too, or write a smaller tokens= budget. The least is total={made.path_tokens}",
        )
    return made


def _limit(workflow: Workflow, context: int) -> int:
    for i, r in enumerate(workflow.rounds):
        if r.distill is not None and r.distill.tokens >= context:
            raise WorkflowError(
                f"rounds[{i}].distill.tokens",
                f"a workspace of {r.distill.tokens} tokens does not fit into the model's context of {context}",
                f"Write less than {context}, and leave room for the problem and the draft",
            )
    return max(1, context - 1)


def _helpers(workflow: Workflow, limit: int | None) -> Iterator[tuple[int, PlannedStep]]:
    """The call that follows each round, for the rounds that have one."""

    def step(stage: Stage, i: int, answer: int, kappa: int | None, width: int = 1) -> PlannedStep:
        return PlannedStep(stage, i, width, _clip(Caps(None, answer + MARKERS), limit), kappa=kappa)

    for i, r in enumerate(workflow.rounds):
        match r.distill:
            case Summary(tokens=kappa):
                yield i, step("distill", i, kappa, kappa)
            case Top(k=k, shared=shared, tokens=kappa):
                width = 1 if shared else workflow.rounds[i + 1].width
                yield i, step("pick", i, max(PICK, PER_PICK * k), kappa, width)
            case Analysis(tokens=kappa):
                # The analysis and the draft it is about share kappa.
                yield i, step("analyse", i, kappa // 2, kappa)
            case None if workflow.close == "pick":
                yield i, step("pick", i, PICK, None)
            case _:
                pass


def _rest(workflow: Workflow, tokens: int, helpers: list[PlannedStep], limit: int | None) -> int:
    """Tokens of an equal part: the largest with which no call goes below its least and the sum fits."""
    # The share as it was written (0.1 is a tenth), so that "the smallest that fits" is exact.
    share = Fraction(str(workflow.share))
    helped = sum(step.caps.total for step in helpers)
    left = int(tokens * share) - helped
    bounds = [(_under(limit, _least(r)), _under(limit, _most(r))) for r in workflow.rounds]
    least = sum(low for low, _ in bounds)
    if least > left:
        raise BudgetError(
            "budget.tokens",
            f"{tokens} tokens are too few for the {len(bounds) + len(helpers)} calls of {workflow.name!r} that follow "
            "one another",
            f"The smallest that fits is tokens={ceil((helped + least) / share)}",
        )
    low, high = 0, left
    while low < high:
        part = (low + high + 1) // 2
        if sum(max(a, min(part, b)) for a, b in bounds) <= left:
            low = part
        else:
            high = part - 1
    return low


def _least(r: Round) -> int:
    """Fewest tokens of a round's call."""
    if r.thinking is None and r.answer is None:
        return LEAST
    half = LEAST // 2
    return (half if r.thinking is None else r.thinking) + (half if r.answer is None else r.answer)


def _most(r: Round) -> int:
    """Most tokens of a round's call: without a cap on its thinking, any number."""
    if r.thinking is None:
        return 1 << 62
    return r.thinking + (ANSWER if r.answer is None else r.answer)


def _open_total(r: Round) -> int:
    """Tokens of a round's call where no budget is shared out."""
    return (THINKING if r.thinking is None else r.thinking) + (ANSWER if r.answer is None else r.answer)


def _split(r: Round, total: int) -> Caps:
    """Divide a call's tokens between thinking and answer, the round's own caps first."""
    if r.thinking is not None:
        return Caps(r.thinking, total - r.thinking)
    answer = min(ANSWER, total // 2) if r.answer is None else r.answer
    return Caps(total - answer, answer)


def _under(limit: int | None, tokens: int) -> int:
    return tokens if limit is None else min(tokens, limit)


def _clip(caps: Caps, limit: int | None) -> Caps:
    """Caps within the model's context: the thinking gives way first, down to half of it."""
    if limit is None or caps.total <= limit:
        return caps
    if caps.thinking is None:
        return Caps(None, limit)
    answer = min(caps.answer, max(1, limit // 2, limit - caps.thinking))
    return Caps(limit - answer, answer)
