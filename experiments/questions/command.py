"""One command from its checks to its end: what is refused is refused before anything is started or sent."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from experiments.questions import distillers, frontier, oracle, training
from experiments.questions.checkpoints import USUAL, named, targets
from experiments.questions.config import Config, load_config
from experiments.questions.lab import Problems, Stopped
from experiments.questions.plan import describe
from experiments.questions.serve import Target
from experiments.questions.session import ONE_MODEL, Session
from experiments.questions.strategies import Job
from optimize.reporting.mlflow_ui import UI_COMMAND
from optimize.reporting.progress import clock
from optimize.study.state import StateDir
from pdr_dspy.command.signals import INTERRUPTED
from pdr_dspy.data_options import reading, said
from pdr_dspy.endpoint import FileStore
from pdr_dspy.errors import InputError

JOBS: dict[str, Callable[[Config], list[Job]]] = {
    "frontier": frontier.jobs, "distillers": distillers.jobs, "oracle": oracle.jobs
}  # fmt: skip


def answer_all(options: argparse.Namespace) -> int:
    """Run the command; returns its exit code.

    Raises:
        InputError: something that was asked for can't be done.
    """
    config = configured(options)
    compared = named(options.before, options.after)
    asked = list(ONE_MODEL) if options.question == "all" else [options.question]
    if options.question == "all" and compared:
        asked.append("training")
    if options.dry_run:
        print(describe(config, planned(config, asked, [c.name for c in compared] or USUAL)))
        return 0
    if options.question == "training" and not compared:
        raise InputError(
            "--before, --after", "two checkpoints are needed", "Give a folder with weights or an address for each"
        )
    if config.needs_endpoint and not options.endpoint and asked != ["training"]:
        mend = "Give --endpoint http://host:8000/v1"
        raise InputError("--endpoint", f"{config.name} is for a server of yours", mend)
    model = Target(tuple(options.endpoint or ()), options.model)
    checkpoints = targets(compared, options.model)
    with ExitStack() as stack:
        session = _session(options, config, stack)
        began = time.monotonic()
        try:
            session.run(asked, model, checkpoints)
        except Stopped:
            print("stopped; the same command goes on", file=sys.stderr)
            return INTERRUPTED
        print(f"{clock(time.monotonic() - began)} in all; runs: {UI_COMMAND}")
    return 0


def planned(config: Config, asked: Sequence[str], checkpoints: Sequence[str]) -> list[tuple[str, list[Job]]]:
    """What a dry run counts: each question's jobs; of training, each checkpoint's."""
    parts = [(name, JOBS[name](config)) for name in asked if name in JOBS]
    if "training" in asked:
        parts += [(f"training {name}", training.jobs(config, name)) for name in checkpoints]
    return parts


def configured(options: argparse.Namespace) -> Config:
    """The configuration with what the command line says otherwise.

    Raises:
        InputError: no such configuration, or an option out of range.
    """
    for name in ("problems", "claims_on", "load"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')}", f"{value} is too few", "Give 1 or more")
    if options.model and not (options.endpoint or options.before):
        raise InputError("--model", "there is no --endpoint that could serve it", "Give one, or leave --model out")
    config = load_config(options.config)
    if options.data is not None:
        config = config.on(options.data)
    if options.claims_on is not None:
        config = config.claiming_on(options.claims_on)
    if options.problems is not None:
        config = config.capped(options.problems)
    changed = {name: getattr(options, name) for name in ("load", "seed") if getattr(options, name) is not None}
    return config.model_copy(update=changed)


def _session(options: argparse.Namespace, config: Config, stack: ExitStack) -> Session:
    folder = options.runs / f"questions-{config.name}"
    try:
        state = StateDir(folder)
    except InputError as error:
        raise InputError("--runs", error.problem, "Wait for it, or give another directory") from None
    stack.callback(state.close)
    store = FileStore(state.path / "store")
    stack.callback(store.close)
    changed = ("endpoint", "data", "problems", "seed", "load")
    as_it_stands = options.thinking == "auto" and all(getattr(options, name) is None for name in changed)
    as_it_stands = as_it_stands and not said(options)
    documents = options.config == "embedded" and as_it_stands
    problems = Problems(config, reading(options))
    claims = "" if options.claims_on is None else f" --claims-on {options.claims_on}"
    return Session(config, state.path, store, problems, options.thinking, claims, documents)
