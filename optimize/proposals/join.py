"""From `--propose` to the proposals of a study: those it was made with, or new ones, told at the start.

A study keeps its proposals in its fingerprint, as a part of its space, so that they are made once, whoever joins it
later. Workers that begin it at the same instant take those that were written first.
"""

from __future__ import annotations

import sys
from pathlib import Path

from optuna.storages import BaseStorage, RDBStorage

from optimize.inputs.problems import Problems
from optimize.proposals.propose import propose
from optimize.proposals.proposer import proposer
from optimize.request.proposing import ProposalRequest
from optimize.request.search import SearchRequest
from optimize.space.proposals import Proposals
from optimize.space.space import PROPOSALS, Space
from optimize.study.facts import Facts
from optimize.study.fingerprint import FINGERPRINT, described
from optimize.study.storages import open_storage
from pdr_dspy.endpoint import Allowance, Endpoint, FileStore
from pdr_dspy.errors import InputError


def joined(
    request: SearchRequest,
    directory: Path,
    space: Space,
    problems: Problems,
    endpoint: Endpoint,
    allowance: Allowance,
) -> Proposals | None:
    """The proposals that a study is searched with; None without any.

    Args:
        request: What is asked for.
        directory: The study's, with its completions.
        space: What is searched, without proposals.
        problems: The data.
        endpoint: The searched model.
        allowance: What the study may generate.

    Raises:
        InputError: the study was made with another number of them.
        EndpointError: the proposer can't be used.
        SpendExhausted: the allowance has no room for them.
    """
    ask, name = request.proposals, request.name
    if ask is None:
        return None  # a study that has proposals refuses to go on without them
    storage = open_storage(request.storage, directory)
    facts = Facts(storage, name) if isinstance(storage, RDBStorage) else None  # else one process has the study
    kind = f"{PROPOSALS} {ask.count}"
    found = _kept(storage, name, ask)
    if found is None and facts is not None and (written := facts.facts(kind)):
        found = Proposals.from_dict(written[0])
    if found is None:
        tried, stages = space.for_proposals()
        with proposer(ask, endpoint, request, FileStore(directory / "store"), allowance) as writer:
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
                seed=request.seed,
            )
        found = made if facts is None else Proposals.from_dict(facts.settle(kind, made.as_dict()))
    _tell(found)
    return found


def _kept(storage: BaseStorage, name: str, ask: ProposalRequest) -> Proposals | None:
    study = next((s for s in storage.get_all_studies() if s.study_name == name), None)
    if study is None or FINGERPRINT not in study.user_attrs:
        return None
    plain = described(study.user_attrs, name).get("space", {}).get(PROPOSALS)
    try:
        found = None if plain is None else Proposals.from_dict(plain)
    except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        mend = "Restore the storage, or give the search another name with --study"
        raise InputError("study", f"the proposals that {name!r} keeps can't be read ({error!r:.200})", mend) from None
    if found is None or found.asked != ask.count:
        had = 0 if found is None else found.asked
        raise InputError(
            "--propose",
            f"the study {name!r} was made with {had or 'no'} proposals a stage, now {ask.count} are asked for",
            f"Give {f'--propose {had}' if had else 'no --propose'}, or the new search another name with --study",
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
