"""Who writes the proposals (the searched model, or another one), and what that may cost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from optimize.inputs.model import opened
from optimize.proposals.size import GROUNDED, REFLECTIVE, SUMMARY, caps, check_length
from optimize.reporting.numbers import amount
from optimize.request.measure import ModelRequest
from optimize.request.proposing import ProposalRequest
from optimize.space.estimate import Estimate
from optimize.space.space import Space
from pdr_dspy.caching import disable_cache
from pdr_dspy.endpoint import Allowance, Endpoint, EndpointSettings, Secret, Store
from pdr_dspy.errors import EndpointError

KEY_VARIABLE = "PDR_PROPOSER_API_KEY"
"""Environment variable with the key of another proposer; the searched model's own key is not sent elsewhere."""

ATTEMPTS = 2
"""How often an instruction is asked for whose text is refused."""


def estimate(ask: ProposalRequest, stages: int, context: int | None) -> Estimate:
    """Calls and generated tokens of the proposers at most, every text refused once."""
    reflective = ask.count // 2
    each = GROUNDED * (ask.count - reflective) + REFLECTIVE * reflective
    calls = ATTEMPTS * (SUMMARY + stages * each)
    return Estimate(calls, calls * caps(context).total)


@contextmanager
def proposer(
    ask: ProposalRequest,
    own: Endpoint | None,
    request: ModelRequest,
    store: Store | None = None,
    allowance: Allowance | None = None,
) -> Iterator[Endpoint]:
    """The proposer's endpoint: the searched model's, or another one, opened and closed here.

    Args:
        ask: What is asked for.
        own: The searched model's.
        request: How the searched model is asked (load, thinking).
        store: Where completions are kept.
        allowance: What may be generated in all.

    Raises:
        EndpointError: it can't be used, or is too short to propose.
    """
    if ask.url is None:
        assert own is not None, "without a proposer of its own it is the searched model"
        check_length(own.context, own.identity.model)
        yield own
        return
    with _open(ask, ask.url, request, store, allowance) as endpoint:
        check_length(endpoint.context, endpoint.identity.model)
        yield endpoint


def _open(
    ask: ProposalRequest, url: str, request: ModelRequest, store: Store | None, allowance: Allowance | None
) -> Endpoint:
    key = Secret(os.environ.get(KEY_VARIABLE, ""), KEY_VARIABLE)
    try:
        settings = EndpointSettings(
            (url,), model=ask.model, api_key=key, load=min(request.most_in_flight, 32), thinking=request.thinking
        )
        disable_cache()
        return Endpoint.open(settings, store, allowance)
    except EndpointError as error:
        mend = f"Put its key into {KEY_VARIABLE}" if "api_key" in error.mend else error.mend
        raise EndpointError("--proposer", error.problem, mend) from None


def foreseen(ask: ProposalRequest, request: ModelRequest, space: Space) -> str:
    """A line for `--dry-run`: what is to be proposed, and what it may cost. Asks models what they are, no more.

    The calls that proposers learn from are not in it: they are those of a workflow that the search measures anyway.

    Raises:
        EndpointError: the proposer can't be used.
    """
    stages = space.for_proposals()[1]
    with ExitStack() as stack:
        own = None if ask.url else stack.enter_context(opened(request))
        writer = stack.enter_context(proposer(ask, own, request))
        cost = estimate(ask, len(stages), writer.context)
        return (
            f"proposals  {ask.count} for each of {', '.join(stages)}, by {writer.identity.model}: at most about "
            f"{amount(cost.calls)} calls, {amount(cost.tokens)} tokens"
        )
