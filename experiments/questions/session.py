"""A command at work: opens the models, asks the questions, logs every measurement, writes every answer down."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from experiments.questions import distillers, frontier, oracle, training
from experiments.questions.config import Config
from experiments.questions.lab import Lab, Problems, Stopped
from experiments.questions.report import README, Answer, drawn, write_files, write_readme
from experiments.questions.serve import Target, opened
from optimize.engine.tracking import Tracking
from pdr_dspy.endpoint import Endpoint, FileStore
from pdr_dspy.endpoint.settings import Thinking
from pdr_dspy.workflow import sampled

ONE_MODEL = {"frontier": frontier.ask, "distillers": distillers.ask, "oracle": oracle.ask}
"""The questions that are asked of one model."""


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

    def run(self, asked: list[str], model: Target, checkpoints: Mapping[str, Target]) -> None:
        """Ask the questions, one after the other; each is written down when it is answered."""
        rest = [name for name in asked if name in ONE_MODEL]
        if rest:
            with self._open(model) as endpoint:
                for name in rest:
                    with self._tracked(name, self._identity(endpoint)) as tracking:
                        lab = self._lab(endpoint, tracking)
                        self._tell(ONE_MODEL[name](lab), self._identity(endpoint), tracking)
        if "training" in asked:
            where = " ".join(f"{name}={target}" for name, target in checkpoints.items())
            with self._tracked("training", where) as tracking:
                count = len(training.jobs(self.config))
                labs = {
                    name: partial(self._opened_lab, target, tracking, i * count)
                    for i, (name, target) in enumerate(checkpoints.items())
                }
                self._tell(training.ask(self.config, labs), "", tracking)

    @contextmanager
    def _open(self, target: Target) -> Iterator[Endpoint]:
        with opened(target, self.store, load=self.config.load, thinking=self.thinking) as endpoint:
            yield endpoint
            for warning in endpoint.stats.warnings:
                print(f"note: {warning}", file=sys.stderr)

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
