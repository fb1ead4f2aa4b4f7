"""From a command line to a search that may spend, in an order that spends nothing too early.

First what needs no network (budget, limits, data), then the endpoint, then whether the study may go on, then the
tracker; only then the first call.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError

from optimize.engine.coordination import end_tracking
from optimize.engine.dry_run import describe
from optimize.engine.formats import parse_formats, usual_formats
from optimize.engine.inputs import Problems, as_begun, embedded_card, load_problems, opened
from optimize.engine.options import EMBEDDED, SERVED, Sizes, check_common
from optimize.engine.session import Session
from optimize.engine.spending import parse_spend
from optimize.engine.tracking import Tracking
from optimize.objectives.criteria import parse_objectives
from optimize.objectives.limits import Limits, duration, parse_limits
from optimize.objectives.loads import check_loads, parse_loads
from optimize.proposals.ask import foreseen, parse_ask
from optimize.proposals.join import joined
from optimize.space.fitting import make_space
from optimize.space.space import Space
from optimize.study.database import gone
from optimize.study.fingerprint import StoredStudy, begun
from optimize.study.state import StateDir, default_name, study_name
from optimize.study.storages import check_storage, is_shared, open_storage, present_storage
from optimize.study.study import Study
from pdr_dspy.budget import Budget, parse_budget
from pdr_dspy.data.showing import described
from pdr_dspy.data_options import wording
from pdr_dspy.endpoint import Endpoint, FileAllowance, FileStore
from pdr_dspy.errors import InputError
from pdr_dspy.formats import DEFAULT
from pdr_dspy.tracking.place import place_of


def search(options: argparse.Namespace) -> int:
    """Run the command; returns its exit code.

    Raises:
        InputError: something that was asked for can't be done.
    """
    check_common(options)
    asked = parse_formats(options.format)
    ask = parse_ask(options)
    budget = parse_budget(options.budget)
    sizes = _sizes(options)
    topologies = options.topologies.split(",") if options.topologies else None
    spend = parse_spend(options.spend)
    objectives = parse_objectives(options.objectives, options.latency)
    limits = parse_limits(options.max_latency, options.min_accuracy, objectives)
    check_loads(parse_loads(options.load), objectives, budget)
    check_storage(options.storage)
    make_space(budget, None, topologies=topologies)  # what is wrong for any model is said before a model is asked
    name = study_name(options.study or default_name(str(budget), options.data, options.model or _kind(options)))
    problems = load_problems(options, sizes, lambda: _present(options, name))
    if options.dry_run:
        if before := _present(options, name):
            problems = as_begun(options, sizes, problems, before)
        try:
            if ask is not None:
                print(foreseen(ask, options, make_space(budget, None, topologies=topologies)))
            return _dry_run(options, budget, sizes, topologies, problems, name)
        except InputError:  # an endpoint that is not there yet, most of all: the problems need none
            print(described(problems.whole, style=asked[0] if asked else DEFAULT, rule=problems.rule))
            raise
    place_of(Path.cwd())  # where MLflow's runs go, so far as no network is needed to know it
    with ExitStack() as stack:
        state = StateDir(options.runs / name, shared=is_shared(options.storage))
        stack.callback(state.close)
        allowance = FileAllowance(state.path / "spend", spend)
        stack.callback(allowance.close)
        endpoint = stack.enter_context(opened(options, FileStore(state.path / "store"), allowance))
        card = endpoint.identity.recommended
        space = make_space(
            budget,
            endpoint.context,
            topologies=topologies,
            recommended=card.prompts,
            formats=asked or usual_formats(card.format),
        )
        storage = open_storage(options.storage, state.path)
        if before := begun(storage, name):
            problems = as_begun(options, sizes, problems, before)
        tracking = None
        if ask is not None:  # proposals take tokens, and whether runs can be kept is known before
            tracking = _tracking(stack, name, before)
            tracking.opened()
        space = replace(space, proposals=joined(ask, options, name, state.path, space, problems, endpoint, allowance))
        study = Study(
            storage,
            name,
            space,
            fingerprint(options, budget, problems, endpoint, space, limits),
            seed=options.seed,
            owner=state.worker if state.shared else str(state.path),
            limits=limits,
            objectives=objectives,
            gone=state.gone,
        )
        stack.callback(study.close)
        if tracking is None:
            tracking = _tracking(stack, name, before)
        tracking.begin(
            {
                "budget": str(budget),
                "data": options.data,
                "model": endpoint.identity.model,
                "revision": endpoint.identity.revision,
                "load": endpoint.load,
                "format": ",".join(space.formats),
                "latency": options.latency,
                "objectives": ",".join(objectives.names),
                "seed": options.seed,
                "samples": options.samples,
                "search_problems": len(problems.search),
                "report_problems": len(problems.report),
            },
            study.workers,
        )
        if study.workers is None:  # of several workers the one that reports settles them
            tracking.forget(study.lost)
        session = Session(options, budget, sizes, problems, state, endpoint, space, study, tracking, allowance)
        if space.proposals is not None:
            tracking.keep({"proposals.yaml": space.proposals.as_yaml()})
            state.write("proposals.yaml", space.proposals.as_yaml())
        try:
            tracking.ready()
            code = session.run()
        except StorageInternalError as error:
            tracking.leave()
            raise gone(error) from None
        except BaseException as error:
            end_tracking(study.workers, tracking, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            raise
        return code


def fingerprint(
    options: argparse.Namespace, budget: Budget, problems: Problems, endpoint: Endpoint, space: Space, limits: Limits
) -> dict[str, Any]:
    """What must stay the same for a study to go on."""
    identity = endpoint.identity
    seen = problems.search
    data = {"spec": options.data, "problems": len(seen), "contents": seen.fingerprint, "grader": seen.grader.name}
    return {
        "budget": str(budget),
        "data": {**data, **wording(options), **({} if problems.rule == 1 else {"split": problems.rule})},
        "samples": options.samples,
        "model": {"name": identity.model, "revision": identity.revision, "context": identity.context},
        "load": endpoint.load,
        "replicas": len(options.endpoint or [""]),
        "thinking": options.thinking,
        "latency": options.latency,
        "limits": asdict(limits),
        "seed": options.seed,
        "space": space.fingerprint(),
    }


def _present(options: argparse.Namespace, name: str) -> StoredStudy | None:
    """What the study of this name holds to; None where there is none. Nothing is made."""
    storage = present_storage(options.storage, options.runs / name)
    return None if storage is None else begun(storage, name)


def _tracking(stack: ExitStack, name: str, before: StoredStudy | None) -> Tracking:
    tracking = Tracking(Path.cwd(), name, going_on=before is not None)
    stack.callback(tracking.abandon)
    return tracking


def _kind(options: argparse.Namespace) -> str:
    return "served" if options.endpoint else "embedded"


def _sizes(options: argparse.Namespace) -> Sizes:
    usual = SERVED if options.endpoint else EMBEDDED
    return replace(
        usual,
        trials=options.trials or usual.trials,
        problems=options.problems or usual.problems,
        report_problems=options.report_problems or usual.report_problems,
        front=options.front or usual.front,
        timeout=usual.timeout if options.timeout is None else duration(options.timeout),
    )


def _dry_run(
    options: argparse.Namespace,
    budget: Budget,
    sizes: Sizes,
    topologies: list[str] | None,
    problems: Problems,
    name: str,
) -> int:
    if options.endpoint:
        with opened(options) as endpoint:  # asks what is served there, generates nothing
            model, context, card = endpoint.identity.model, endpoint.context, endpoint.identity.recommended
    else:
        model, (context, card) = "the embedded reasoner", embedded_card()
    space = make_space(
        budget,
        context,
        topologies=topologies,
        recommended=card.prompts,
        formats=parse_formats(options.format) or usual_formats(card.format),
    )
    print(
        describe(
            space,
            sizes,
            problems,
            model=model,
            name=name,
            samples=options.samples,
            seed=options.seed,
            loads=parse_loads(options.load),
            objectives=parse_objectives(options.objectives, options.latency),
        )
    )
    return 0
