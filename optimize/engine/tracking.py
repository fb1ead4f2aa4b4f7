"""The search's face of the tracker: one thread of its own, so that neither its import nor its disk delays a call."""

from __future__ import annotations

import asyncio
import math
import platform
import sys
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from optimize.objectives.measurement import Measurement
from optimize.space.space import Candidate
from optimize.study.workers import Workers
from pdr_dspy.evaluation import Evaluation
from pdr_dspy.serial_thread import SerialThread
from pdr_dspy.tracking import Register, Tracker
from pdr_dspy.workflow import dump_workflow

T = TypeVar("T")


class Tracking:
    """Runs of one study in MLflow. Opening it begins at once, in the background.

    Args:
        root: The project's directory, where a plain `mlflow ui` finds the runs.
        study: The study's name, which is the experiment's as well.
        tags: Of the study's run, which is begun at once; None leaves that to `begin`.
        going_on: The study was begun before.
    """

    def __init__(
        self, root: Path, study: str, tags: Mapping[str, Any] | None = None, *, going_on: bool = False
    ) -> None:
        self._study = study
        self._thread = SerialThread("tracking")
        self._tracker: Future[Tracker] = self._thread.submit(lambda: Tracker.open(root, study, going_on=going_on))
        self._run: Future[str] = Future()
        self._run.set_result("")  # until there is one, nothing is written to it
        if tags is not None:
            self.begin(tags)

    def begin(self, tags: Mapping[str, Any], workers: Workers | None = None) -> None:
        """Begin the study's run, or go on with it.

        Args:
            tags: What it shows of the study.
            workers: The workers of the study, if there may be several: all of them log to one run.
        """
        self._run = self._later(
            lambda t: t.start_study(
                self._study, tags=tags, params=tags, register=_register(workers, t) if workers else None
            )
        )

    def opened(self) -> None:
        """Wait until it is open.

        Raises:
            InputError: it can't be opened.
        """
        self._tracker.result()

    def ready(self) -> None:
        """Wait until the study's run is there.

        Raises:
            InputError: it can't be opened.
        """
        self.opened()
        self._run.result()

    def forget(self, numbers: Collection[int]) -> None:
        """Delete the runs of trials that were lost (in the background, before any trial is logged)."""
        if numbers:
            self._later(lambda tracker: tracker.forget_trials(self._study, numbers))

    async def trial(
        self,
        number: int,
        candidate: Candidate,
        title: str,
        measured: Measurement,
        started: float,
        *,
        baseline: str | None = None,
    ) -> str:
        """Log a trial under a title that people read; its run's id ("" where that failed)."""
        evaluation = measured.evaluation
        path = candidate.plan
        work = self._later(
            lambda tracker: tracker.log_trial(
                self._study,
                number,
                params={
                    **candidate.params,
                    "widths": "-".join(map(str, candidate.workflow.widths)),
                    "cap_used": max(step.caps.total for step in path.steps if step.kappa is None),
                    "budget": str(path.budget),
                },
                metrics={**measured.metrics, "planned_path": path.path_tokens, "planned_total": path.total_tokens},
                artifacts={"workflow.yaml": dump_workflow(candidate.workflow)},
                tables=_tables(evaluation),
                tags={"baseline": baseline or "", "given_up": measured.given_up},
                title=title,
                started=started,
                ended=time.time(),
            )
        )
        return await asyncio.wrap_future(work)

    async def reported(self, run: str, measured: Measurement) -> None:
        """Add what a trial's workflow did on the report's problems to its run."""
        evaluation = measured.evaluation
        metrics = {f"report_{name}": value for name, value in measured.metrics.items() if math.isfinite(value)}
        tables = {f"report_{name}": rows for name, rows in _tables(evaluation).items()}
        await asyncio.wrap_future(self._later(lambda tracker: tracker.log(run, metrics=metrics, tables=tables)))

    def keep(self, artifacts: Mapping[str, str]) -> None:
        """Add files to the study's run, by name."""
        self._later(lambda tracker: tracker.log(self._run.result(), artifacts=artifacts))

    def settle(self, complete: Collection[int]) -> None:
        """Mark as killed what is tracked of trials that did not become complete (numbers of those that did)."""

        def settled(tracker: Tracker) -> None:
            tracker.catch_up()
            tracker.settle_trials(self._study, complete)

        self._later(settled)

    def leave(self) -> None:
        """End here; the study's run goes on elsewhere."""
        self._later(_confess)
        self._thread.shutdown()

    def abandon(self) -> None:
        """Do nothing more; what was begun in the background ends, and nothing is said of it."""
        self._thread.shutdown(cancel=True)

    def close(
        self,
        status: Any,
        *,
        metrics: Mapping[str, float] | None = None,
        artifacts: Mapping[str, str] | None = None,
        figures: Mapping[str, tuple[str, bytes | None]] | None = None,
        summary: str = "",
    ) -> None:
        """End the study's run with its report, and say what could not be tracked.

        Args:
            status: `FINISHED`, `KILLED` or `FAILED`.
            metrics, artifacts: Of the study.
            figures: Name to HTML and (or None) PNG.
            summary: What came of it, for the study's description.
        """

        def end(tracker: Tracker) -> None:
            tracker.catch_up()
            run = self._run.result()
            tracker.log(run, metrics=metrics, artifacts=artifacts)
            for name, (html, png) in (figures or {}).items():
                tracker.log_figure(run, name, html=html, png=png)
            tracker.describe(run, summary)
            tracker.finish(run, status)
            _confess(tracker)

        if self._tracker.done() and self._tracker.exception() is None:
            self._later(end).result()
        self._thread.shutdown(cancel=True)

    def _later(self, work: Callable[[Tracker], T]) -> Future[T]:
        return self._thread.submit(lambda: work(self._tracker.result()))


def _tables(evaluation: Evaluation | None) -> dict[str, list[dict[str, Any]]]:
    """A row for each problem, and one for each call that failed, if any did."""
    if evaluation is None:
        return {}
    failed = evaluation.failed_rows()
    return {"problems": evaluation.rows(), **({"failed_calls": failed} if failed else {})}


def _confess(tracker: Tracker) -> None:
    """Make good what can be, and say what could not be tracked."""
    tracker.catch_up()
    if tracker.failures:
        print(
            f"not everything is in MLflow ({len(tracker.failures)} writes failed; the first: {tracker.failures[0]}); "
            "the study itself lacks nothing",
            file=sys.stderr,
        )


def _register(workers: Workers, tracker: Tracker) -> Register:
    """A register of the study's runs, one for each place that runs go to."""
    remote = tracker.uri.partition(":")[0] not in ("sqlite", "file")
    kind = f"mlflow {tracker.uri}" if remote else f"mlflow {platform.node()} {tracker.uri}"

    def register(run: str | None) -> list[str]:
        if run is not None:
            workers.state(kind, run)
        return workers.facts(kind)

    return register
