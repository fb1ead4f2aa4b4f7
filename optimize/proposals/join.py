"""From `--propose` to the proposals of a study: those it was made with, or new ones, told at the start.

A study keeps its proposals in its fingerprint, so that they are made once, whoever joins it later.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from optuna.storages import BaseStorage

from optimize.proposals.ask import Ask, proposer
from optimize.proposals.propose import propose
from optimize.proposals.values import Proposals
from optimize.sources import Problems
from optimize.space import Space
from optimize.study import FINGERPRINT
from pdr_dspy.endpoint import Allowance, Endpoint, Store
from pdr_dspy.errors import InputError

PROPOSALS = "proposals"
"""Where a study's fingerprint has them."""


def joined(
    ask: Ask | None,
    options: argparse.Namespace,
    storage: BaseStorage,
    name: str,
    *,
    space: Space,
    problems: Problems,
    endpoint: Endpoint,
    store: Store,
    allowance: Allowance,
) -> Proposals | None:
    """The proposals that a study is searched with; None without any.

    Raises:
        InputError: the study was made with another number of them.
        EndpointError: the proposer can't be used.
        SpendExhausted: the allowance has no room for them.
    """
    found = _kept(storage, name, ask)
    if found is None and ask is not None:
        tried, stages = space.for_proposals()
        with proposer(ask, endpoint, options, store, allowance) as writer:
            _say(
                f"{writer.identity.model} writes {ask.count} new instructions for each of {', '.join(stages)}, "
                f"from what {tried.workflow.name} does on problems of the search"
            )
            made = propose(
                ask.count,
                stages,
                tried=tried,
                data=problems.search,
                searched=endpoint,
                proposer=writer,
                seed=options.seed,
            )
        found = _kept(storage, name, ask) or made  # of two that began the study at once, one is first
    if found is not None:
        _tell(found)
    return found


def entry(proposals: Proposals | None) -> dict[str, Any]:
    """What of a study's fingerprint is theirs."""
    return {} if proposals is None else {PROPOSALS: proposals.as_dict()}


def _kept(storage: BaseStorage, name: str, ask: Ask | None) -> Proposals | None:
    study = next((s for s in storage.get_all_studies() if s.study_name == name), None)
    if study is None or FINGERPRINT not in study.user_attrs:
        return None
    plain = study.user_attrs[FINGERPRINT].get(PROPOSALS)
    found = None if plain is None else Proposals.from_dict(plain)
    had, asked = found.asked if found else 0, ask.count if ask else 0
    if had != asked:
        raise InputError(
            "--propose",
            f"the study {name!r} was made with {had or 'no'} proposals a stage, now {asked or 'none'} are asked for",
            f"Give --propose {had}, or the new search another name with --study",
        )
    return found


def _tell(proposals: Proposals) -> None:
    by = proposals.proposer
    if proposals.count:
        _say(f"{proposals.count} instructions by {by}:\n{proposals.told()}")
    else:
        _say(
            f"warning: {by} wrote nothing usable ({len(proposals.refused)} refused); the search goes on with the "
            f"catalogue's instructions\n{proposals.told()}"
        )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
