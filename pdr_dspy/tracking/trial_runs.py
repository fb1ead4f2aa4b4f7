"""The run of one trial: written once, whole; what was begun and not ended is deleted and written anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from pdr_dspy.markdown import plain
from pdr_dspy.tracking.links import link
from pdr_dspy.tracking.study_runs import StudyRuns
from pdr_dspy.tracking.text import cut, written
from pdr_dspy.tracking.writing import Runs

Status = Literal["FINISHED", "FAILED", "KILLED"]

NOTE = "mlflow.note.content"
"""A run's description, Markdown."""

_INCOMPLETE = "incomplete"  # the tag of a run that could not be written to its end


@dataclass(frozen=True)
class TrialRun:
    """What is to be logged of a trial; the fields are those of `Tracker.log_trial`."""

    name: str
    number: int
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    artifacts: Mapping[str, str]
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    tags: Mapping[str, Any]
    title: str
    status: Status
    started: float | None
    ended: float | None

    @property
    def end(self) -> int | None:
        """When it ended, in milliseconds. A clock that was set back meanwhile makes no run end before it began."""
        if self.ended is None:
            return None
        return round(max(self.ended, self.ended if self.started is None else self.started) * 1000)


@dataclass
class TrialWriter:
    """Writes a trial's run when called, and again when called again because that failed; returns the run's id.

    Attributes:
        trial: What is written.
        client: The MLflow client.
        runs: Writes to runs.
        studies: Knows the run of the trial's study.
        reach: Raises where the server is away.
        experiment: The experiment's id.
    """

    trial: TrialRun
    client: Any
    runs: Runs
    studies: StudyRuns
    reach: Callable[[], None]
    experiment: str
    _half: set[str] = field(default_factory=set)

    def __call__(self) -> str:
        """Raises what MLflow raises."""
        trial = self.trial
        for run in self.runs.find(study=trial.name, role="trial", trial=str(trial.number)):
            if run.info.status != "RUNNING" and _INCOMPLETE not in run.data.tags:
                return str(run.info.run_id)
            self._half.add(str(run.info.run_id))  # it was begun, and what wrote it failed or ended
        for left in filter(self.runs.there, sorted(self._half)):
            self.client.delete_run(left)
        parent = self.studies.run_of(trial.name)
        belongs = {"study": trial.name, "role": "trial", "trial": str(trial.number)}
        tags = {**belongs, **({"study_run": parent} if parent else {})}
        identity = self.runs.create(f"trial {trial.number}", tags, trial.started)
        self._half.add(identity)
        try:
            self.runs.write(
                identity,
                params=trial.params,
                metrics=trial.metrics,
                tags={**trial.tags, NOTE: self._note(parent)},
                artifacts=trial.artifacts,
                tables=trial.tables,
            )
        except Exception as error:
            with suppress(Exception):  # as far as it goes it is right, and it goes no further
                self.reach()
                self.client.set_tag(identity, _INCOMPLETE, cut(written(str(error)), 200))
                self.client.set_terminated(identity, status=trial.status, end_time=trial.end)
            raise
        self.client.set_terminated(identity, status=trial.status, end_time=trial.end)
        return identity

    def _note(self, parent: str) -> str:
        name, title = self.trial.name, self.trial.title
        of = link(name, f"#/experiments/{self.experiment}/runs/{parent}") if parent else plain(name)
        return f"A trial of {of}{f': {plain(title)}' if title else ''}"
