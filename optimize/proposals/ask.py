"""`--propose` and `--proposer`: how many instructions are wanted, who writes them, and what that may cost."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from optimize.engine.dry_run import Estimate
from optimize.engine.inputs import opened
from optimize.objectives.loads import parse_loads
from optimize.proposals.size import GROUNDED, REFLECTIVE, SUMMARY, caps, check_length
from optimize.reporting.numbers import amount
from optimize.space.space import Space
from pdr_dspy.caching import disable_cache
from pdr_dspy.endpoint import Allowance, Endpoint, EndpointSettings, Secret, Store
from pdr_dspy.errors import EndpointError, InputError

KEY_VARIABLE = "PDR_PROPOSER_API_KEY"
"""Environment variable with the key of another proposer; the searched model's own key is not sent elsewhere."""

MOST = 16
"""Proposals for a stage at most: each is a choice that the search must try."""

ATTEMPTS = 2
"""How often an instruction is asked for whose text is refused."""


@dataclass(frozen=True)
class Ask:
    """What was asked for.

    Attributes:
        count: New instructions for each stage.
        url: Another proposer's address; None: the searched model itself.
        model: Its model; None: the only one served there.
    """

    count: int
    url: str | None = None
    model: str | None = None

    def estimate(self, stages: int, context: int | None) -> Estimate:
        """Calls and generated tokens of the proposers at most, every text refused once."""
        reflective = self.count // 2
        each = GROUNDED * (self.count - reflective) + REFLECTIVE * reflective
        calls = ATTEMPTS * (SUMMARY + stages * each)
        return Estimate(calls, calls * caps(context).total)


def parse_ask(options: argparse.Namespace) -> Ask | None:
    """What the command line asks for; None without `--propose`.

    Raises:
        InputError: a number out of range, a proposer for nothing, or one that can't write instructions.
    """
    count: int = options.propose
    if not 0 <= count <= MOST:
        raise InputError("--propose", f"{count} instructions a stage", f"Give a number from 0 to {MOST}")
    if not count:
        if options.proposer:
            raise InputError("--proposer", "there is nothing for it to propose", "Give --propose N, such as 4")
        return None
    if options.proposer is None:
        if not options.endpoint:
            raise InputError(
                "--propose",
                "the embedded reasoner writes worksheets, not instructions",
                "Name a model that can with --proposer URL#MODEL, or leave --propose out",
            )
        return Ask(count)
    url, _, model = options.proposer.partition("#")
    if not url.strip():
        raise InputError("--proposer", "it has no address", "Write it like http://host:8000/v1#Qwen/Qwen3-32B")
    return Ask(count, url.strip(), model.strip() or None)


@contextmanager
def proposer(
    ask: Ask,
    own: Endpoint | None,
    options: argparse.Namespace,
    store: Store | None = None,
    allowance: Allowance | None = None,
) -> Iterator[Endpoint]:
    """The proposer's endpoint: the searched model's, or another one, opened and closed here.

    Args:
        ask: What is asked for.
        own: The searched model's.
        options: The command line (load, thinking).
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
    with _open(ask, ask.url, options, store, allowance) as endpoint:
        check_length(endpoint.context, endpoint.identity.model)
        yield endpoint


def _open(
    ask: Ask, url: str, options: argparse.Namespace, store: Store | None, allowance: Allowance | None
) -> Endpoint:
    key = Secret(os.environ.get(KEY_VARIABLE, ""), KEY_VARIABLE)
    try:
        settings = EndpointSettings(
            (url,), model=ask.model, api_key=key, load=min(parse_loads(options.load)[-1], 32), thinking=options.thinking
        )
        disable_cache()
        return Endpoint.open(settings, store, allowance)
    except EndpointError as error:
        mend = f"Put its key into {KEY_VARIABLE}" if "api_key" in error.mend else error.mend
        raise EndpointError("--proposer", error.problem, mend) from None


def foreseen(ask: Ask, options: argparse.Namespace, space: Space) -> str:
    """A line for `--dry-run`: what is to be proposed, and what it may cost. Asks models what they are, no more.

    The calls that proposers learn from are not in it: they are those of a workflow that the search measures anyway.

    Raises:
        EndpointError: the proposer can't be used.
    """
    stages = space.for_proposals()[1]
    with ExitStack() as stack:
        own = None if ask.url else stack.enter_context(opened(options))
        writer = stack.enter_context(proposer(ask, own, options))
        cost = ask.estimate(len(stages), writer.context)
        return (
            f"proposals  {ask.count} for each of {', '.join(stages)}, by {writer.identity.model}: at most about "
            f"{amount(cost.calls)} calls, {amount(cost.tokens)} tokens"
        )
