"""Experiment tracking with MLflow: one run for a study, and one for each of its trials.

Several processes may write to one study. Which of the runs that they make for it is the study's, a register decides
that lists what was said in one order for everybody; MLflow has nothing that could.

Runs are addressed by id, never through MLflow's "active run", which belongs to a thread. Trials are top-level runs,
since MLflow folds nested ones and leaves them out of charts; a trial names its study in the tags `study` and
`study_run`, and both link to each other in their descriptions. Logging a trial takes tenths of a second: not for the
event loop.

A tracker that fails must not end a search that took hours: what goes wrong after `open` is caught, kept in `failures`
and the search goes on without it.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from pdr_dspy.markdown import plain
from pdr_dspy.secrets.redaction import redacted, redacted_json
from pdr_dspy.tracking.links import compared, link
from pdr_dspy.tracking.opening import open_experiment
from pdr_dspy.tracking.text import PARAM_LENGTH, TAG_LENGTH, cut, entries, finite, table

Status = Literal["FINISHED", "FAILED", "KILLED"]
Register = Callable[[str | None], Sequence[str]]
"""Lists runs that were said to be a study's, the first ones first, after it has added this one (None: none)."""
T = TypeVar("T")

_BATCH = 100  # params, and tags, that MLflow takes at once
_FOUND_BY = ("study", "role", "trial", "study_run")  # tags a run is found by; set when it is made, nobody else's to set
_NOTE = "mlflow.note.content"  # a run's description, Markdown
_TABLES = "mlflow.loggedArtifacts"  # a run's artifacts that MLflow shows as tables
_COMPARED = (
    100  # runs that a link to MLflow's compare page names at most: a tag is short, and its table has a column each
)
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackingFailure:
    """Something that was not tracked.

    Attributes:
        action: What was being done (`log trial 12`).
        error: The exception's type.
        detail: Its message (no secrets).
    """

    action: str
    error: str
    detail: str

    def __str__(self) -> str:
        return f"{self.action}: {self.error}: {self.detail}"


class Tracker:
    """Runs of one experiment. Safe across threads as far as `MlflowClient` is; one process writes to a trial.

    Attributes:
        uri: Where the runs go, without credentials.
        experiment: The experiment's name.
        failures: What could not be tracked, in order.
    """

    def __init__(self, client: Any, experiment_id: str, experiment: str, uri: str) -> None:
        self._client = client
        self.experiment_id = experiment_id
        self.experiment = experiment
        self.uri = uri
        self._failures: list[TrackingFailure] = []
        self._studies: dict[str, str] = {}

    @classmethod
    def open(cls, root: Path, experiment: str) -> Tracker:
        """Open an experiment, made where there is none yet.

        Args:
            root: The project's directory. Runs go to `<root>/mlflow.db`, artifacts to `<root>/mlruns/<experiment>`,
                where a plain `mlflow ui` in `root` finds them; `MLFLOW_TRACKING_URI` overrides the former, and a
                tracking server decides on artifacts itself.
            experiment: Its name.

        Raises:
            TrackingError: it can't be opened.
        """
        client, identity, uri = open_experiment(root, experiment)
        return cls(client, identity, experiment, uri)

    @property
    def failures(self) -> tuple[TrackingFailure, ...]:
        """What could not be tracked so far."""
        return tuple(self._failures)

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
        name = _named(name)

        def start() -> str:
            if register is None:
                run = self._find(name, "study")
                found = None if run is None else str(run.info.run_id)
            else:
                found = self._first(register(None))
            if found is None:
                made = self._create(f"study {name}", {"study": name, "role": "study"})
                found = made if register is None else self._first(register(made)) or made
                if found == made:
                    self._write(made, params=params or {}, tags=tags or {})
                    return made
                self._client.delete_run(made)  # another process was faster
            self._client.update_run(found, status="RUNNING")
            return found

        run = self._try(f"start study {name}", start, "")
        if run:
            self._studies[run] = name
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
        name = _named(self._studies.get(study, study))

        def log() -> str:
            run = self._find(name, "trial", number)
            if run is not None and run.info.status != "RUNNING":
                return str(run.info.run_id)
            if run is not None:
                self._client.delete_run(run.info.run_id)  # the process ended while it was being written
            parent = self._run_of(name)
            belongs = {
                "study": name,
                "role": "trial",
                "trial": str(number),
                **({"study_run": parent} if parent else {}),
            }
            identity = self._create(f"trial {number}", belongs, started)
            self._write(
                identity,
                params=params,
                metrics=metrics,
                tags={**(tags or {}), _NOTE: self._note(name, parent, title)},
                artifacts=artifacts or {},
                tables=tables or {},
            )
            end = None if ended is None else round(ended * 1000)
            self._client.set_terminated(identity, status=status, end_time=end)
            return identity

        return self._try(f"log trial {number} of {name}", log, "")

    def forget_trials(self, study: str, numbers: Collection[int]) -> None:
        """Delete the runs of trials that were lost when their process died: they are measured again as others.

        Args:
            study: The study's name, or what `start_study` returned.
            numbers: The trials' numbers.
        """
        name = _named(self._studies.get(study, study))

        def forget() -> None:
            lost = {str(number) for number in numbers}
            gone = [run.info.run_id for run in self._trials_of(name) if run.data.tags.get("trial") in lost]
            for identity in gone:
                self._client.delete_run(identity)

        if numbers:
            self._try(f"forget lost trials of {name}", forget, None)

    def settle_trials(self, study: str, complete: Collection[int]) -> None:
        """Mark as killed what was logged, or begun, of trials that did not become complete: their process died.

        Args:
            study: The study's name, or what `start_study` returned.
            complete: Numbers of the complete trials.
        """
        name = _named(self._studies.get(study, study))

        def settle() -> None:
            for run in self._trials_of(name):
                if int(run.data.tags["trial"]) not in complete and run.info.status != "KILLED":
                    self._client.set_terminated(run.info.run_id, status="KILLED")

        self._try(f"settle the trials of {name}", settle, None)

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
            self._write(run, metrics=metrics or {}, artifacts=artifacts or {}, tables=tables or {})

        if run:
            self._try(f"log to {run}", write, None)

    def describe(self, run: str, text: str) -> None:
        """Give a study's run a description, with links to its trials. Does nothing for the run ""."""

        def write() -> None:
            name = self._studies[run]
            words = f'tags.study = "{name}" and tags.role = "trial"'
            found = self._client.search_runs([self.experiment_id], words, max_results=_COMPARED)
            trials = [str(trial.info.run_id) for trial in found]
            how = "all" if len(trials) < _COMPARED else f"the latest {_COMPARED}"
            compare = f", or {link(f'compare {how}', compared(self.experiment_id, trials))}" if trials else ""
            lead = f"{text}\n\n" if text else ""
            note = f"{lead}Its trials are runs beside this one: filter the runs by `{words}`{compare}."
            self._write(run, tags={_NOTE: note})

        if run:
            self._try(f"describe {run}", write, None)

    def log_figure(self, run: str, name: str, *, html: str | None = None, png: bytes | None = None) -> None:
        """Add a figure as `<name>.html` and `<name>.png`. Does nothing for the run ""."""

        def write() -> None:
            if html is not None:
                self._client.log_text(run, redacted(html), f"{name}.html")
            if png is not None:
                with tempfile.TemporaryDirectory() as directory:
                    path = Path(directory) / f"{Path(name).name}.png"
                    path.write_bytes(png)
                    folder = str(Path(name).parent)
                    self._client.log_artifact(run, str(path), None if folder == "." else folder)

        if run:
            self._try(f"log figure {name}", write, None)

    def finish(self, run: str, status: Status = "FINISHED") -> None:
        """End a run. Does nothing for the run ""."""
        if run:
            self._try(f"finish {run}", lambda: self._client.set_terminated(run, status=status), None)

    def _first(self, runs: Sequence[str]) -> str | None:
        """The first of these runs that nobody has deleted."""
        there = (run for run in runs if self._client.get_run(run).info.lifecycle_stage == "active")
        return next(there, None)

    def _create(self, name: str, tags: Mapping[str, str], started: float | None = None) -> str:
        start = round((time.time() if started is None else started) * 1000)
        run = self._client.create_run(self.experiment_id, start_time=start, run_name=name, tags=dict(tags))
        return str(run.info.run_id)

    def _write(
        self,
        run: str,
        *,
        params: Mapping[str, Any] = _NOTHING,
        metrics: Mapping[str, float] = _NOTHING,
        tags: Mapping[str, Any] = _NOTHING,
        artifacts: Mapping[str, str] = _NOTHING,
        tables: Mapping[str, Sequence[Mapping[str, Any]]] = _NOTHING,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        good, odd = finite(metrics)
        own = {name: value for name, value in tags.items() if name not in _FOUND_BY}
        if odd:
            own["not_finite"] = ", ".join(odd)
        if tables:
            before = json.loads(self._client.get_run(run).data.tags.get(_TABLES, "[]"))
            new = [{"path": f"{name}.json", "type": "table"} for name in tables]
            own[_TABLES] = json.dumps([*(one for one in before if one not in new), *new])
        now = round(time.time() * 1000)
        numbers = [Metric(key, value, now, 0) for key, value in good.items()]
        words = [Param(key, value) for key, value in entries(params, PARAM_LENGTH).items()]
        labels = [RunTag(key, value) for key, value in entries(own, TAG_LENGTH).items()]
        # One batch, unless there is more than MLflow takes in one.
        for i in range(0, max(len(numbers), len(words), len(labels)), _BATCH):
            part = slice(i, i + _BATCH)
            self._client.log_batch(run, metrics=numbers[part], params=words[part], tags=labels[part])
        for name, text in artifacts.items():
            self._client.log_text(run, redacted(text), name)
        for name, rows in tables.items():
            self._client.log_text(run, json.dumps(redacted_json(table(rows)), ensure_ascii=False), f"{name}.json")

    def _find(self, study: str, role: str, number: int | None = None) -> Any:
        wanted = {"study": study, "role": role, **({} if number is None else {"trial": str(number)})}
        words = " and ".join(f'tags.{key} = "{value}"' for key, value in wanted.items())
        runs = self._client.search_runs([self.experiment_id], words, max_results=1)
        return runs[0] if runs else None

    def _trials_of(self, study: str) -> list[Any]:
        """All of them: read before anything is changed, since pages shift with what is deleted."""
        words = f'tags.study = "{study}" and tags.role = "trial"'
        found: list[Any] = []
        page: str | None = ""
        while page is not None:
            part = self._client.search_runs([self.experiment_id], words, max_results=1000, page_token=page or None)
            found += part
            page = part.token or None
        return found

    def _run_of(self, study: str) -> str:
        return next((run for run, name in self._studies.items() if name == study), "")

    def _note(self, study: str, parent: str, title: str) -> str:
        of = link(study, f"#/experiments/{self.experiment_id}/runs/{parent}") if parent else plain(study)
        return f"A trial of {of}{f': {plain(title)}' if title else ''}"

    def _try(self, action: str, work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except Exception as error:  # see the head of this file; what is raised is the store's business
            detail = cut(redacted(" ".join(str(error).split())), 300)
            failure = TrackingFailure(action, type(error).__name__, detail)
            self._failures.append(failure)
            _log.warning("not tracked: %s", failure)
            return otherwise


def _named(study: str) -> str:
    # MLflow's filter language has no escapes, so a name that is looked up must do without its quotation mark.
    return study.replace('"', "'")
