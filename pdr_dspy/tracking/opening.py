"""Opens an MLflow experiment, made where there is none yet, and the database it is in. Whole or not at all."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from pdr_dspy.errors import InputError
from pdr_dspy.secrets.redaction import redacted
from pdr_dspy.tracking.text import cut


class TrackingError(InputError):
    """A tracker that can't be opened: `MLFLOW_TRACKING_URI` that does not answer, a directory that can't be written."""


def open_experiment(root: Path, experiment: str) -> tuple[Any, str, str]:
    """An MLflow client, the experiment's id, and where its runs go, without credentials (see `Tracker.open`).

    Raises:
        TrackingError: it can't be opened.
    """
    # Its migrations report every step, and a server that does not answer is asked again for minutes.
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    # With a server it prints two addresses for every run that ends.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    root = root.resolve()
    named = os.environ.get("MLFLOW_TRACKING_URI")
    uri = named or f"sqlite:///{root / 'mlflow.db'}"
    artifacts = None if uri.partition(":")[0] in ("http", "https", "databricks") else _artifacts(root, experiment)
    try:
        from mlflow import MlflowClient

        root.mkdir(parents=True, exist_ok=True)
        if not named:
            make_database(root / "mlflow.db")
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        if found is not None and found.lifecycle_stage != "active":
            raise TrackingError(
                "tracking", f"the experiment {experiment!r} was deleted", "Use another name, or restore it."
            )
        identity = _made(client, experiment, artifacts) if found is None else found.experiment_id
    except TrackingError:
        raise
    except Exception as error:  # MLflow passes on what its stores raise: SQLAlchemy, requests, OSError
        own = f"Check that {root} can be written; a damaged database may be moved away, and a new one is made."
        mend = "Check MLFLOW_TRACKING_URI." if named else own
        detail = cut(redacted(" ".join(str(error).split())), 300)
        raise TrackingError("tracking", f"{redacted(uri)} can't be opened ({detail})", mend) from None
    return client, str(identity), redacted(uri)


def make_database(path: Path) -> None:
    """Make an empty MLflow database where there is none.

    MLflow makes its tables in place, by dozens of migrations that it can't repeat: killed in the middle of them it
    would leave a database that can never be opened again. So it is made beside, and put into its place when whole.
    """
    if path.exists():
        return
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        made = Path(folder) / path.name
        opened: Any = SqlAlchemyStore  # it has no types
        store = opened(f"sqlite:///{made}", DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH)
        store.engine.dispose()
        try:
            os.link(made, path)
        except FileExistsError:
            return  # another process was faster
        except OSError:  # a file system without links
            os.replace(made, path)


def _made(client: Any, experiment: str, artifacts: str | None) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(experiment, artifacts))
    except MlflowException:
        found = client.get_experiment_by_name(experiment)  # another process was faster
        if found is None:
            raise
        return str(found.experiment_id)


def _artifacts(root: Path, experiment: str) -> str:
    folder = "".join(c if c.isalnum() or c in "-_." else "_" for c in experiment)
    return (root / "mlruns" / folder).as_uri()
