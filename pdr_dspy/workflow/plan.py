"""From a workflow and a budget to every call's caps: pure arithmetic, done before a token is spent.

The sequential steps of a workflow are known beforehand, so a budget along the path (`tokens`) becomes a cap for each of
them, and the sum of the caps can't exceed it. Knows nothing of calls, endpoints or text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil

from pdr_dspy.budget import Budget
from pdr_dspy.errors import BudgetError, WorkflowError
from pdr_dspy.workflow.closing import Pick
from pdr_dspy.workflow.planned import Caps, Plan, PlannedStep, Stage
from pdr_dspy.workflow.schema import Analysis, Round, Summary, Top, Workflow
from pdr_dspy.workflow.thinking import HelperThinking

MARKERS = 24
"""Tokens a helper call may spend on the markers around its field."""

PICK = 16
"""Tokens the numbers of up to four picked drafts take; more drafts take `PER_PICK` each."""

PER_PICK = 4
ANSWER = 2048
"""Tokens of a draft after its thinking, where neither round nor budget says less (the paper's buffer)."""

THINKING = 16_384
"""Thinking tokens of a draft where neither round nor budget says (the paper's middle setting)."""

HELPER_THINKING = 1024
"""Most thinking tokens of a helper call whose model thinks whatever it is told, where the workflow says nothing."""

LEAST = 32
"""Fewest tokens of a call whose caps are open: half for thinking, half for the answer."""


def plan(workflow: Workflow, budget: Budget, *, context: int | None = None, helpers_think: bool = False) -> Plan:
    """Share a budget out over a workflow's steps.

    Caps that a round states are kept. Helper calls get what their output takes, and the thinking the workflow says.
    What is left of `share` of the budget's `tokens` goes in equal parts to the calls whose caps are open, no more
    than half of a part (nor than 2048) to the answer. Where helpers think whatever they are told, one whose thinking is
    open gets half as much as such a part (1024 at most) for it. Without a `tokens` budget, open caps are 16384 of
    thinking and 2048 of answer.

    Args:
        workflow: The workflow.
        budget: The problem's budget.
        context: The model's length in tokens, where known; no call's caps exceed what it leaves.
        helpers_think: Whether the model thinks though it is told not to.

    Raises:
        BudgetError: the workflow can't fit into the budget; says what the smallest budget is that would do.
        WorkflowError: a workspace as long as the model's context.
    """
    limit = None if context is None else _limit(workflow, context)
    helpers = dict(_helpers(workflow))
    free = [i for i, step in helpers.items() if step.wanted is None] if helpers_think else []
    rest = None if budget.tokens is None else _rest(workflow, budget.tokens, helpers, free, limit)
    steps: list[PlannedStep] = []
    for i, r in enumerate(workflow.rounds):
        share = _open_total(r) if rest is None else max(_least(r), min(rest, _most(r)))
        caps = _clip(_split(r, share), limit)
        steps.append(PlannedStep("draft" if i == 0 else "refine", i, r.width, caps, quorum=r.quorum))
        if i in helpers:
            caps = helpers[i].caps
            if i in free:
                caps = Caps(HELPER_THINKING if rest is None else _thought(rest), caps.answer)
            steps.append(replace(helpers[i], caps=_clip(caps, limit)))
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


def _helpers(workflow: Workflow) -> Iterator[tuple[int, PlannedStep]]:
    """The call that follows each round, for the rounds that have one."""

    def step(
        stage: Stage, i: int, answer: int, kappa: int | None, wanted: HelperThinking, width: int = 1
    ) -> PlannedStep:
        caps = Caps(wanted if isinstance(wanted, int) else None, answer + MARKERS)
        return PlannedStep(stage, i, width, caps, kappa=kappa, wanted=wanted)

    for i, r in enumerate(workflow.rounds):
        match r.distill:
            case Summary(tokens=kappa, thinking=wanted):
                yield i, step("distill", i, kappa, kappa, wanted)
            case Top(k=k, shared=shared, tokens=kappa, thinking=wanted):
                width = 1 if shared else workflow.rounds[i + 1].width
                yield i, step("pick", i, max(PICK, PER_PICK * k), kappa, wanted, width)
            case Analysis(tokens=kappa, thinking=wanted):
                # The analysis and the draft it is about share kappa.
                yield i, step("analyse", i, kappa // 2, kappa, wanted)
            case None if workflow.closing == "pick":
                wanted = workflow.close.thinking if isinstance(workflow.close, Pick) else None
                yield i, step("pick", i, PICK, None, wanted)
            case _:
                pass


def _thought(part: int) -> int:
    """Thinking of a helper that thinks whatever it is told, where an open call has so many tokens."""
    return min(HELPER_THINKING, part // 2)


def _rest(
    workflow: Workflow, tokens: int, helpers: Mapping[int, PlannedStep], free: Sequence[int], limit: int | None
) -> int:
    """Tokens of an equal part: the largest with which no call goes below its least and the sum fits."""
    # The share as it was written (0.1 is a tenth), so that "the smallest that fits" is exact.
    share = Fraction(str(workflow.share))
    left = int(tokens * share)
    bounds = [(_under(limit, _least(r)), _under(limit, _most(r))) for r in workflow.rounds]

    def sum_at(part: int) -> int:
        thought = {i: _thought(part) for i in free}
        helped = sum(_under(limit, step.caps.total + thought.get(i, 0)) for i, step in helpers.items())
        return helped + sum(max(a, min(part, b)) for a, b in bounds)

    if sum_at(0) > left:
        raise BudgetError(
            "budget.tokens",
            f"{tokens} tokens are too few for the {len(bounds) + len(helpers)} calls of {workflow.name!r} that follow "
            "one another",
            f"The smallest that fits is tokens={ceil(sum_at(0) / share)}",
        )
    low, high = 0, left
    while low < high:
        part = (low + high + 1) // 2
        if sum_at(part) <= left:
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
