"""`LongCoT`, `SequentialRefinement`, `MajorityVote`: `PDR` with a workflow that a few numbers say."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import dspy

from pdr_dspy.answers import Equal
from pdr_dspy.modules.given import GivenBudget, whole
from pdr_dspy.modules.pdr import PDR
from pdr_dspy.workflow import Previous, Round, Workflow
from pdr_dspy.workflow.schema import MOST_DRAFTS, MOST_ROUNDS


class LongCoT(PDR):
    """One call with the whole budget: the baseline every strategy is measured against. Preset `long_cot`.

    Args:
        signature, budget, seed: As of `PDR`. The whole of `tokens` is the one call's; without, its own caps are.
        equal, vote_on: As of `PDR`; nothing is voted on here.

    Raises:
        SignatureError, WorkflowError, BudgetError: as `PDR`.
    """

    def __init__(
        self,
        signature: str | type[dspy.Signature],
        *,
        budget: GivenBudget = None,
        seed: int = 0,
        equal: Equal | None = None,
        vote_on: str | Sequence[str] | None = None,
    ) -> None:
        workflow = Workflow(name="long_cot", rounds=(Round(width=1),))
        super().__init__(signature, workflow, budget=budget, seed=seed, equal=equal, vote_on=vote_on)


class SequentialRefinement(PDR):
    """PDR of width 1: draft, then revise the previous answer `rounds - 1` times. Preset `sr` (4 rounds).

    Args:
        signature, budget, seed: As of `PDR`. The rounds share `tokens` equally.
        rounds: Calls that follow one another, the draft included. Each costs the latency of a call; one is `LongCoT`.
        equal, vote_on: As of `PDR`; nothing is voted on here, unless a round fails.

    Raises:
        SignatureError, WorkflowError, BudgetError: as `PDR`; `rounds` is no number from 1 to 256.
    """

    def __init__(
        self,
        signature: str | type[dspy.Signature],
        *,
        rounds: int = 4,
        budget: GivenBudget = None,
        seed: int = 0,
        equal: Equal | None = None,
        vote_on: str | Sequence[str] | None = None,
    ) -> None:
        revised = whole("rounds", rounds, 1, MOST_ROUNDS) - 1
        workflow = Workflow(name="sr", rounds=(*(Round(width=1, distill=Previous()),) * revised, Round(width=1)))
        super().__init__(signature, workflow, budget=budget, seed=seed, equal=equal, vote_on=vote_on)


class MajorityVote(PDR):
    """Self-consistency: `width` independent drafts, and the most frequent answer. Preset `majority` (16 drafts).

    Args:
        signature, budget, seed: As of `PDR`. Each draft has the whole of `tokens`, for they run in parallel.
        width: Drafts; as many requests at once, up to the endpoint's `load`. The same seed gives the same first drafts
            whatever the width.
        equal, vote_on: When two answers are the same one, and which output fields are voted on; as of `PDR`.

    Raises:
        SignatureError, WorkflowError, BudgetError: as `PDR`; `width` is no number from 2 to 4096.
    """

    def __init__(
        self,
        signature: str | type[dspy.Signature],
        *,
        width: int = 8,
        budget: GivenBudget = None,
        seed: int = 0,
        equal: Equal | None = None,
        vote_on: str | Sequence[str] | None = None,
    ) -> None:
        rounds = (Round(width=whole("width", width, 2, MOST_DRAFTS)),)
        workflow = Workflow(name="majority", rounds=rounds, close="vote")
        super().__init__(signature, workflow, budget=budget, seed=seed, equal=equal, vote_on=vote_on)


# Where whole programs that an older version pickled look for them.
for _moved in (LongCoT, SequentialRefinement, MajorityVote):
    setattr(sys.modules[PDR.__module__], _moved.__name__, _moved)
