"""One command from its checks to what it writes: sets the questions to work, and spends nothing too early."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from experiments.questions import distillers, frontier, oracle, training
from experiments.questions.config import Config, load_config
from experiments.questions.lab import Lab, Problems, Stopped
from experiments.questions.plan import describe
from experiments.questions.report import README, Answer, drawn, write_files, write_readme
from experiments.questions.serve import Target, checkpoint, opened
from experiments.questions.strategies import Job
from optimize.searching.options import INTERRUPTED, UI_COMMAND
from optimize.searching.track import Tracking
from optimize.showing.progress import clock
from optimize.studies.state import StateDir
from pdr_dspy.endpoint import Endpoint, FileStore
from pdr_dspy.endpoint.settings import Thinking
from pdr_dspy.errors import InputError
from pdr_dspy.workflow import sampled

ONE_MODEL = {"frontier": frontier.ask, "distillers": distillers.ask, "oracle": oracle.ask}
"""The questions that are asked of one model."""

JOBS: dict[str, Callable[[Config], list[Job]]] = {
    "frontier": frontier.jobs, "distillers": distillers.jobs, "oracle": oracle.jobs, "training": training.jobs
}  # fmt: skip


def answer_all(options: argparse.Namespace) -> int:
    """Run the command; returns its exit code.

    Raises:
        InputError: something that was asked for can't be done.
    """
    config = configured(options)
    both = options.before is not None and options.after is not None
    asked = list(ONE_MODEL) if options.question == "all" else [options.question]
    if options.question == "all" and both:
        asked.append("training")
    if options.dry_run:
        print(describe(config, [(name, JOBS[name](config)) for name in asked]))
        return 0
    if (options.before is None) != (options.after is None) or (options.question == "training" and not both):
        raise InputError(
            "--before, --after", "two checkpoints are needed", "Give a folder with weights or an address for each"
        )
    if config.needs_endpoint and not options.endpoint and asked != ["training"]:
        mend = "Give --endpoint http://host:8000/v1"
        raise InputError("--endpoint", f"{config.name} is for a server of yours", mend)
    targets = _targets(options)
    with ExitStack() as stack:
        session = _session(options, config, stack)
        began = time.monotonic()
        try:
            session.run(asked, targets)
        except Stopped:
            print("stopped; the same command goes on", file=sys.stderr)
            return INTERRUPTED
        print(f"{clock(time.monotonic() - began)} in all; runs: {UI_COMMAND}")
    return 0


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


@dataclass(frozen=True)
class Session:
    """A command that may spend.

    Attributes:
        options: How it was called, as far as the answers depend on it.
        documents: Whether the README gets the answers: the embedded configuration as it stands, nothing changed.
    """

    config: Config
    folder: Path
    store: FileStore
    problems: Problems
    thinking: Thinking
    options: str
    documents: bool

    def run(self, asked: list[str], targets: dict[str, Target]) -> None:
        """Ask the questions, one after the other; each is written down when it is answered."""
        rest = [name for name in asked if name in ONE_MODEL]
        if rest:
            with self._open(targets["model"]) as endpoint:
                for name in rest:
                    with self._tracked(name, self._identity(endpoint)) as tracking:
                        lab = self._lab(endpoint, tracking)
                        self._tell(ONE_MODEL[name](lab), self._identity(endpoint), tracking)
                for warning in endpoint.stats.warnings:
                    print(f"note: {warning}", file=sys.stderr)
        if "training" in asked:
            where = f"{targets['before']} {targets['after']}"
            with self._tracked("training", where) as tracking:
                count = len(training.jobs(self.config))
                labs = [partial(self._opened_lab, targets[n], tracking, i * count) for i, n in enumerate(_PAIR)]
                self._tell(training.ask(self.config, *labs), "", tracking)

    def _open(self, target: Target) -> AbstractContextManager[Endpoint]:
        return opened(target, self.store, load=self.config.load, thinking=self.thinking)

    def _lab(self, endpoint: Endpoint, tracking: Tracking, first: int = 0) -> Lab:
        return Lab(self.config, endpoint, self.folder / "results", self.problems, tracking, first)

    @contextmanager
    def _opened_lab(self, target: Target, tracking: Tracking, first: int) -> Iterator[Lab]:
        with self._open(target) as endpoint:
            yield self._lab(endpoint, tracking, first)

    def _identity(self, endpoint: Endpoint) -> str:
        return f"{endpoint.identity.model} {endpoint.identity.revision}".strip()

    @contextmanager
    def _tracked(self, question: str, model: str) -> Iterator[Tracking]:
        content = hashlib.sha256(f"{self.config.model_dump_json()} {model}".encode()).hexdigest()[:8]
        name = f"questions-{self.config.name}-{question}-{content}"
        tags = {
            "question": question, "config": self.config.name, "model": model,
            "load": self.config.load, "seed": self.config.seed,
        }  # fmt: skip
        tracking = Tracking(Path.cwd(), name, tags)
        try:
            tracking.ready()
            yield tracking
        except BaseException as error:
            tracking.close("KILLED" if isinstance(error, Stopped | KeyboardInterrupt) else "FAILED")
            raise

    def _tell(self, answer: Answer, model: str, tracking: Tracking) -> None:
        config = self.config
        made_by = (
            f"`python -m experiments.questions {answer.question}{self.options}`: configuration {config.name}"
            f"{f', {model}' if model else ''}, {sampled(config.sampling)}, "
            f"seed {config.seed}, {config.load} requests in flight."
        )
        pictures = drawn(answer)
        path = write_files(answer, pictures, made_by, self.folder / "report")
        if self.documents:
            write_readme(answer, pictures, made_by)
        tracking.close(
            "FINISHED",
            metrics=answer.metrics,
            artifacts={f"{answer.question}.md": path.read_text(encoding="utf-8")},
            figures={picture.chart.name: (picture.html, picture.png) for picture in pictures},
        )
        print(f"\n{answer.markdown}\n\n{answer.question}: {path}{f' and {README}' if self.documents else ''}\n")


_PAIR = ("before", "after")


def _session(options: argparse.Namespace, config: Config, stack: ExitStack) -> Session:
    folder = options.runs / f"questions-{config.name}"
    try:
        state = StateDir(folder)
    except InputError as error:
        raise InputError("--runs", error.problem, "Wait for it, or give another directory") from None
    stack.callback(state.close)
    store = FileStore(state.path / "store")
    stack.callback(store.close)
    changed = ("endpoint", "data", "problems", "seed", "load", "inputs", "answer")
    as_it_stands = options.thinking == "auto" and all(getattr(options, name) is None for name in changed)
    documents = options.config == "embedded" and as_it_stands
    problems = Problems(config, options.inputs, options.answer)
    said = "" if options.claims_on is None else f" --claims-on {options.claims_on}"
    return Session(config, state.path, store, problems, options.thinking, said, documents)


def _targets(options: argparse.Namespace) -> dict[str, Target]:
    targets = {"model": Target(tuple(options.endpoint or ()), options.model)}
    for name in _PAIR:
        if (where := getattr(options, name)) is not None:
            targets[name] = checkpoint(where, f"--{name}", options.model)
    return targets
