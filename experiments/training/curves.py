"""A stage's curves in MLflow: one run a stage, whichever process goes on with it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pdr_dspy.secrets.redaction import redacted
from pdr_dspy.tracking.batches import Batches
from pdr_dspy.tracking.opening import open_experiment

_log = logging.getLogger(__name__)


class Curves:
    """Logs numbers of updates to MLflow.

    Args:
        root: Where `mlflow.db` is, unless `MLFLOW_TRACKING_URI` says otherwise.
        name: The run's name.
        parameters: What is trained.
        run: Id of the MLflow run to go on with; None begins one, as does one that is not there any more.

    Attributes:
        run: Id of the MLflow run.

    Raises:
        TrackingError: the experiment can't be opened.
    """

    def __init__(self, root: Path, name: str, parameters: Mapping[str, Any], run: str | None = None) -> None:
        self._client, experiment, place = open_experiment(root, "pdr-dspy-training")
        self.uri = place.shown
        if run is not None and not self._going_on(run):
            _log.warning("MLflow: the run that was begun, %s, is not at %s: a new one goes on", run, self.uri)
            run = None
        if run is None:
            run = self._client.create_run(experiment, run_name=name).info.run_id
            Batches(self._client).write(run, {}, parameters, {})
        self.run: str = run

    def _going_on(self, run: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self._client.update_run(run, status="RUNNING")
        except MlflowException:
            return False
        return True

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """Keep the numbers of an update."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        found = [Metric(key, value, now, step) for key, value in numbers.items()]
        self._told(lambda: self._client.log_batch(self.run, metrics=found))

    def ended(self, status: str) -> None:
        """Close the run: FINISHED, KILLED (it can go on) or FAILED."""
        self._told(lambda: self._client.set_terminated(self.run, status))

    def _told(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # whatever a tracking server does, hours of training do not end by it
            _log.warning("MLflow: %s", redacted(" ".join(str(error).split())[:300]))
