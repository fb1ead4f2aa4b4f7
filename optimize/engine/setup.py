"""From a request to a search that may spend, in an order that spends nothing too early.

First what needs no network (space, storage, data), then the endpoint, then whether the study may go on, then the
tracker; only then the first call.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError

from optimize.engine.coordination import end_tracking
from optimize.engine.dry_run import describe
from optimize.engine.prepared import Prepared
from optimize.engine.result import SearchResult
from optimize.engine.session import Session
from optimize.engine.tracking import Tracking
from optimize.inputs.model import embedded_card, opened
from optimize.inputs.problems import Problems, as_begun, load_problems
from optimize.proposals.join import joined
from optimize.proposals.proposer import foreseen
from optimize.request.search import SearchRequest
from optimize.space.choices import usual_formats
from optimize.space.fitting import make_space
from optimize.study.database import unreachable
from optimize.study.fingerprint import StoredStudy, stored_study
from optimize.study.state import StateDir
from optimize.study.storages import check_storage, is_shared, open_storage, present_storage
from optimize.study.study import Study
from pdr_dspy.data.showing import described
from pdr_dspy.endpoint import FileAllowance, FileStore
from pdr_dspy.errors import InputError
from pdr_dspy.formats import DEFAULT
from pdr_dspy.tracking.place import place_of


def search(asked: SearchRequest | Mapping[str, Any], command: str = "") -> SearchResult:
    """Search, report, and say what came of it. Progress is told on stderr, the report on stdout.

    Args:
        asked: What is asked for; a mapping of its fields will do.
        command: The command that asks for it, to be repeated where it was interrupted.

    Raises:
        InputError: something that was asked for can't be done.
    """
    request = SearchRequest.of(asked)
    check_storage(request.storage)
    make_space(request.budget, None, topologies=request.topologies)  # wrong for any model: said before one is asked
    problems = load_problems(request, request.sizes, lambda: _present(request), quiet=request.dry_run)
    if request.dry_run:
        if before := _present(request):
            problems = as_begun(request, request.sizes, problems, before)
        _dry_run(request, problems)
        return SearchResult("planned", request.name, request.runs / request.name, request.budget)
    place_of(Path.cwd())  # where MLflow's runs go, so far as no network is needed to know it
    with ExitStack() as stack:
        prepared = _prepared(request, problems, stack)
        study, tracking = prepared.study, prepared.tracking
        try:
            tracking.ready()
            return Session(prepared).run(command)
        except StorageInternalError as error:
            tracking.leave()
            raise unreachable(error) from None
        except BaseException as error:
            end_tracking(study.workers, tracking, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            raise


def _prepared(request: SearchRequest, problems: Problems, stack: ExitStack) -> Prepared:
    name = request.name
    state = StateDir(request.runs / name, shared=is_shared(request.storage))
    stack.callback(state.close)
    allowance = FileAllowance(state.path / "spend", request.spend)
    stack.callback(allowance.close)
    endpoint = stack.enter_context(opened(request, FileStore(state.path / "store"), allowance))
    identity, card = endpoint.identity, endpoint.identity.recommended
    space = make_space(
        request.budget,
        endpoint.context,
        topologies=request.topologies,
        recommended=card.prompts,
        formats=request.format or usual_formats(card.format),
    )
    storage = open_storage(request.storage, state.path)
    if before := stored_study(storage, name):
        problems = as_begun(request, request.sizes, problems, before)
    tracking = None
    if request.proposals is not None:  # they take tokens, and whether runs can be kept is known before
        tracking = _tracking(stack, name, before)
        tracking.opened()
    space = replace(space, proposals=joined(request, state.path, space, problems, endpoint, allowance))
    study = Study(
        storage,
        name,
        space,
        request.fingerprint(data=problems.fingerprint(), model=identity, load=endpoint.load, space=space.fingerprint()),
        seed=request.seed,
        owner=state.worker if state.shared else str(state.path),
        limits=request.limits,
        objectives=request.objectives,
        ended=state.ended,
    )
    stack.callback(study.close)
    if tracking is None:
        tracking = _tracking(stack, name, before)
    tracking.begin(
        {
            "budget": str(request.budget),
            "data": request.data,
            "model": identity.model,
            "revision": identity.revision,
            "load": endpoint.load,
            "format": ",".join(space.formats),
            "latency": request.latency,
            "objectives": ",".join(request.objectives.names),
            "seed": request.seed,
            "samples": request.samples,
            "search_problems": len(problems.search),
            "report_problems": len(problems.report),
        },
        study.workers,
    )
    if study.workers is None:  # of several workers the one that reports settles them
        tracking.forget(study.lost)
    if space.proposals is not None:
        tracking.keep({"proposals.yaml": space.proposals.as_yaml()})
        state.write("proposals.yaml", space.proposals.as_yaml())
    return Prepared(request, problems, state, endpoint, space, study, tracking, allowance)


def _present(request: SearchRequest) -> StoredStudy | None:
    """What the study of this name holds to; None where there is none. Nothing is made."""
    storage = present_storage(request.storage, request.runs / request.name)
    return None if storage is None else stored_study(storage, request.name)


def _tracking(stack: ExitStack, name: str, before: StoredStudy | None) -> Tracking:
    tracking = Tracking(Path.cwd(), name, going_on=before is not None)
    stack.callback(tracking.abandon)
    return tracking


def _dry_run(request: SearchRequest, problems: Problems) -> None:
    try:
        if request.proposals is not None:
            space = make_space(request.budget, None, topologies=request.topologies)
            print(foreseen(request.proposals, request, space))
        if request.endpoint:
            with opened(request) as endpoint:  # asks what is served there, generates nothing
                model, context, card = endpoint.identity.model, endpoint.context, endpoint.identity.recommended
        else:
            model, (context, card) = "the embedded reasoner", embedded_card()
        space = make_space(
            request.budget,
            context,
            topologies=request.topologies,
            recommended=card.prompts,
            formats=request.format or usual_formats(card.format),
        )
        print(describe(space, request, problems, model=model))
    except InputError:  # an endpoint that is not there yet, most of all: the problems need none
        style = request.format[0] if request.format else DEFAULT
        print(described(problems.whole, style=style, rule=problems.rule))
        raise
