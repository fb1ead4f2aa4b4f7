"""Experiment tracking with MLflow: one run for a study, and one for each of its trials.

Several processes may write to one study. Which of the runs that they make for it is the study's, a register decides
that lists what was said in one order for everybody; MLflow has nothing that could.

Runs are addressed by id, never through MLflow's "active run", which belongs to a thread. Trials are top-level runs,
since MLflow folds nested ones and leaves them out of charts; a trial names its study in the tags `study` and
`study_run`, and both link to each other in their descriptions. Logging a trial takes tenths of a second: not for the
event loop.

A tracker that fails must not end a search that took hours: what goes wrong after `open` is caught, kept in `failures`
and the search goes on without it. Trials that could not be logged are kept and logged later, if MLflow is there again
while this process is. A study's run that somebody deletes is made anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pdr_dspy.tracking.attempts import Attempts, TrackingFailure
from pdr_dspy.tracking.links import compared, link
from pdr_dspy.tracking.opening import named, open_experiment
from pdr_dspy.tracking.place import Place
from pdr_dspy.tracking.study_runs import Register, StudyRun, StudyRuns
from pdr_dspy.tracking.trial_runs import NOTE, Status, TrialRun, TrialWriter
from pdr_dspy.tracking.writing import NOTHING, Runs

_COMPARED = 100
"""Runs that a link to MLflow's compare page names at most: a tag is short, and its table has a column each."""


class Tracker:
    """Runs of one experiment. Safe across threads as far as `MlflowClient` is; one process writes to a trial.

    Attributes:
        uri: Where the runs go, without credentials.
        experiment: The experiment's name.
        failures: What could not be tracked, in order.
    """

    def __init__(self, client: Any, experiment_id: str, experiment: str, place: Place, going_on: bool = False) -> None:
        self._client = client
        self._attempts = Attempts(place, client, experiment)
        self._runs = Runs(client, experiment_id, self._attempts.failed)
        self.experiment_id = experiment_id
        self.experiment = experiment
        self.uri = place.shown
        self._studies = StudyRuns(client, self._runs, going_on)

    @classmethod
    def open(cls, root: Path, experiment: str, *, going_on: bool = False) -> Tracker:
        """Open an experiment, made where there is none yet.

        Args:
            root: The project's directory. Runs go to `<root>/mlflow.db`, artifacts to `<root>/mlruns/<experiment>`,
                where a plain `mlflow ui` in `root` finds them; `MLFLOW_TRACKING_URI` overrides the former, and a
                tracking server decides on artifacts itself.
            experiment: Its name.
            going_on: A study of this name was begun before: its experiment is found under another name as well.

        Raises:
            TrackingError: it can't be opened.
        """
        client, identity, place = open_experiment(root, experiment, going_on=going_on)
        return cls(client, identity, experiment, place, going_on)

    @property
    def failures(self) -> tuple[TrackingFailure, ...]:
        """What could not be tracked so far."""
        return tuple(self._attempts.failures)

    def start_study(
        self,
        name: str,
        tags: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        register: Register | None = None,
    ) -> str:
        """Open the run of a study: a new one, or the one it had before it was interrupted.

        Args:
            name: The study's name.
            tags, params: Of a new one.
            register: Decides between several processes that open it at once.

        Returns:
            The run's id; "" where it could not be made.
        """
        begun = StudyRun(named(name), tags or NOTHING, params or NOTHING, register)
        run = self._attempts.tried(f"start study {begun.name}", lambda: self._studies.start(begun), "")
        if run:
            self._studies.began(run, begun)
        return run

    def log_trial(
        self,
        study: str,
        number: int,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        artifacts: Mapping[str, str] | None = None,
        tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        tags: Mapping[str, Any] | None = None,
        title: str = "",
        status: Status = "FINISHED",
        started: float | None = None,
        ended: float | None = None,
    ) -> str:
        """Log one finished trial. One that was logged already (before a restart) is left as it is.

        Args:
            study: The study's name, or what `start_study` returned.
            number: The trial's number in its study.
            params: Values of any kind, written as text; long ones are cut, visibly.
            metrics: Numbers; those that are not finite are named in the tag `not_finite` instead.
            artifacts: File name to text.
            tables: Name to rows; shown as tables by MLflow, saved as `<name>.json`.
            tags: Written as text.
            title: The trial in a line, for its description.
            status: The trial's end.
            started, ended: Unix times; default: now.

        Returns:
            The run's id; "" where it could not be logged.
        """
        trial = TrialRun(
            name=self._studies.name_of(study),
            number=number,
            params=params,
            metrics=metrics,
            artifacts=artifacts or NOTHING,
            tables=tables or NOTHING,
            tags=tags or NOTHING,
            title=title,
            status=status,
            started=started,
            ended=ended,
        )
        write = TrialWriter(trial, self._client, self._runs, self._studies, self._attempts.reach, self.experiment_id)
        doubtful = self._attempts.doubtful
        made = self._attempts.tried(f"log trial {number} of {trial.name}", write, "", again=True)
        if made and doubtful:
            self.catch_up()
        return made

    def catch_up(self) -> None:
        """Log the trials that could not be logged before, as far as that is possible now."""
        self._attempts.catch_up()

    def forget_trials(self, study: str, numbers: Collection[int]) -> None:
        """Delete the runs of trials that were lost when their process died: they are measured again as others.

        Args:
            study: The study's name, or what `start_study` returned.
            numbers: The trials' numbers.
        """
        name = self._studies.name_of(study)

        def forget() -> None:
            lost = {str(number) for number in numbers}
            gone = [
                run.info.run_id
                for run in self._runs.find(study=name, role="trial")
                if run.data.tags.get("trial") in lost
            ]
            for identity in gone:
                self._client.delete_run(identity)

        if numbers:
            self._attempts.tried(f"forget lost trials of {name}", forget, None)

    def settle_trials(self, study: str, complete: Collection[int]) -> None:
        """Mark as killed what was logged, or begun, of trials that did not become complete: their process died.

        Args:
            study: The study's name, or what `start_study` returned.
            complete: Numbers of the complete trials.
        """
        name = self._studies.name_of(study)

        def settle() -> None:
            for run in self._runs.find(study=name, role="trial"):
                if int(run.data.tags["trial"]) not in complete and run.info.status != "KILLED":
                    self._client.set_terminated(run.info.run_id, status="KILLED")

        self._attempts.tried(f"settle the trials of {name}", settle, None)

    def log(
        self,
        run: str,
        *,
        metrics: Mapping[str, float] | None = None,
        artifacts: Mapping[str, str] | None = None,
        tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        """Add to a run (a study's, at its end). Does nothing for the run ""."""

        def write() -> None:
            now = self._studies.present(run)
            self._runs.write(now, metrics=metrics or {}, artifacts=artifacts or {}, tables=tables or {})

        if run:
            self._attempts.tried(f"log to {run}", write, None)

    def describe(self, run: str, text: str) -> None:
        """Give a study's run a description, with links to its trials. Does nothing for the run ""."""

        def write() -> None:
            name, now = self._studies.name_of(run), self._studies.present(run)
            words = f'tags.study = "{name}" and tags.role = "trial"'
            found = self._client.search_runs([self.experiment_id], words, max_results=_COMPARED)
            trials = [str(trial.info.run_id) for trial in found]
            how = "all" if len(trials) < _COMPARED else f"the latest {_COMPARED}"
            compare = f", or {link(f'compare {how}', compared(self.experiment_id, trials))}" if trials else ""
            lead = f"{text}\n\n" if text else ""
            note = f"{lead}Its trials are runs beside this one: filter the runs by `{words}`{compare}."
            self._runs.write(now, tags={NOTE: note})

        if run:
            self._attempts.tried(f"describe {run}", write, None)

    def log_figure(self, run: str, name: str, *, html: str | None = None, png: bytes | None = None) -> None:
        """Add a figure as `<name>.html` and `<name>.png`. Does nothing for the run ""."""

        def write() -> None:
            self._runs.draw(self._studies.present(run), name, html, png)

        if run:
            self._attempts.tried(f"log figure {name}", write, None)

    def finish(self, run: str, status: Status = "FINISHED") -> None:
        """End a run. Does nothing for the run ""."""

        def end() -> None:
            self._client.set_terminated(self._studies.present(run), status=status)

        if run:
            self._attempts.tried(f"finish {run}", end, None)
