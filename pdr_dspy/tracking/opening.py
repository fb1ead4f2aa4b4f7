"""Opens an MLflow experiment, made where there is none yet, or says in seconds why that can't be."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from pdr_dspy.extras import need
from pdr_dspy.secrets.redaction import redacted
from pdr_dspy.tracking.contact import answers, connects
from pdr_dspy.tracking.database import check_schema
from pdr_dspy.tracking.database import make_database as make_database
from pdr_dspy.tracking.moved import bring_home
from pdr_dspy.tracking.place import Place, TrackingError, local, place_of
from pdr_dspy.tracking.text import cut

_log = logging.getLogger(__name__)


def open_experiment(root: Path, experiment: str, *, going_on: bool = False) -> tuple[Any, str, Place]:
    """An MLflow client, the experiment's id, and where its runs go (see `Tracker.open`).

    Raises:
        TrackingError: it can't be opened.
        MissingExtra: the extra search is not installed.
    """
    # Its migrations report every step; what its stores raise, they print before, with a traceback.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    # A server that does not answer any more is asked again for a minute at most, not for a quarter of an hour.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    # With a server it prints two addresses for every run that ends.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    need("search", "tracking")
    place = place_of(root)
    connects(place)
    try:
        from mlflow import MlflowClient

        if place.file is not None:
            place.file.parent.mkdir(parents=True, exist_ok=True)
            make_database(place.file)
            check_schema(place.file)
        if place.kind == "own":
            bring_home(place)
        client = MlflowClient(tracking_uri=place.uri)
        if place.kind == "server":
            answers(place, client, experiment)
        identity = _identity(client, place, experiment, going_on)
    except TrackingError:
        raise
    except Exception as error:  # MLflow passes on what its stores raise: SQLAlchemy, requests, OSError
        detail = cut(redacted(" ".join(str(error).split())), 300)
        raise TrackingError("tracking", f"{place.shown} can't be opened ({detail})", _mend(place, str(error))) from None
    return client, identity, place


def _identity(client: Any, place: Place, experiment: str, going_on: bool) -> str:
    found = client.get_experiment_by_name(experiment)
    if found is None and going_on:
        found = _renamed(client, experiment)
    if found is not None and found.lifecycle_stage != "active":
        identity = found.experiment_id
        mend = f"Restore it (mlflow experiments restore --experiment-id {identity}), or use another name"
        raise TrackingError("tracking", f"the experiment {experiment!r} was deleted", mend)
    if place.kind == "server":
        return _made(client, experiment, None) if found is None else str(found.experiment_id)
    folder = place.artifacts(experiment)
    there = folder if found is None else local(found.artifact_location)
    if there == folder:
        _writable(folder)
    elif there is not None:
        _log.warning("MLflow: artifacts of the experiment %r go to %s, where it was made", experiment, there)
    return _made(client, experiment, folder.as_uri()) if found is None else str(found.experiment_id)


def _renamed(client: Any, study: str) -> Any:
    """The experiment that has the run of a study, under another name than the study's; None where there is none."""
    known = {one.experiment_id: one for one in client.search_experiments(max_results=1000)}
    words = f'tags.study = "{named(study)}" and tags.role = "study"'
    runs = client.search_runs(list(known), words, max_results=1) if known else []
    if not runs:
        return None
    found = known[runs[0].info.experiment_id]
    _log.warning("MLflow: the experiment %r is called %r now; the study goes on there", study, found.name)
    return found


def named(study: str) -> str:
    """A study's name as it can be looked up: MLflow's filters have no escapes for their quotation mark."""
    return study.replace('"', "'")


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return
        reason = "no permission"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise TrackingError("tracking", f"artifacts can't be written to {folder} ({reason})", "See to it that they can")


def _mend(place: Place, error: str) -> str:
    if "db upgrade" in error:
        return f"Make a copy of it first, then: mlflow db upgrade {place.shown!r}"
    if "locked" in error:
        return "Another program is writing to it: end that, and give the same command"
    if place.kind == "server":  # it has answered before
        return "Check MLFLOW_TRACKING_URI and the other variables that begin with MLFLOW_"
    if place.kind != "own":
        return "Check MLFLOW_TRACKING_URI"
    return f"Check that {place.root} can be written; a damaged database may be moved away, and a new one is made"


def _made(client: Any, experiment: str, artifacts: str | None) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(experiment, artifacts))
    except MlflowException:
        found = client.get_experiment_by_name(experiment)  # another process was faster
        if found is None:
            raise
        return str(found.experiment_id)
