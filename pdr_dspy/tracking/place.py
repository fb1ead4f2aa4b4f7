"""Where runs go: the project's own database, or what `MLFLOW_TRACKING_URI` names. Parsed once; nothing is asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pdr_dspy.databases import in_memory
from pdr_dspy.errors import InputError
from pdr_dspy.secrets.redaction import redacted

_HTTP = ("http", "https")
_UNSET = "or unset it: runs then go to mlflow.db in the project"


class TrackingError(InputError):
    """A tracker that can't be opened: `MLFLOW_TRACKING_URI` that does not answer, a directory that can't be written."""


@dataclass(frozen=True)
class Place:
    """Where runs go.

    Attributes:
        root: The project's directory, resolved.
        uri: The address as MLflow takes it. It may hold a password.
        kind: `own`: the project's SQLite file; `database`: another one; `server`: one that decides on artifacts itself.
    """

    root: Path
    uri: str
    kind: Literal["own", "database", "server"]

    @property
    def file(self) -> Path | None:
        """The SQLite file, if it is one and the address says no more than its path."""
        return _file(self.uri)

    @property
    def shown(self) -> str:
        """The address without credentials."""
        return redacted(self.uri)

    def artifacts(self, experiment: str) -> Path:
        """The directory of an experiment's artifacts, where no server decides on it."""
        return self.root / "mlruns" / folder_of(experiment)


def place_of(root: Path, environ: Mapping[str, str] | None = None) -> Place:
    """Where the runs of a project go.

    Args:
        root: The project's directory.
        environ: Variables (default: this process's); `MLFLOW_TRACKING_URI` counts.

    Raises:
        TrackingError: nothing can be kept there, or it is no address.
    """
    variables = os.environ if environ is None else environ
    root = root.resolve()
    named = variables.get("MLFLOW_TRACKING_URI", "").strip()
    if not named:
        uri = f"sqlite:///{root / 'mlflow.db'}"
        if _file(uri) != root / "mlflow.db":  # written as %3F and %25 MLflow would make directories of these names
            mend = "Rename the directory, or set MLFLOW_TRACKING_URI"
            raise TrackingError("tracking", f"MLflow has no address for a file in {root}, for its ? or %", mend)
        return Place(root, uri, "own")
    kind = named.partition(":")[0].lower()
    if in_memory(named):
        mend = f"Name a file in MLFLOW_TRACKING_URI, sqlite:////home/me/mlflow.db, {_UNSET}"
        raise TrackingError("tracking", f"{redacted(named)} is in memory: every run would end with this process", mend)
    if kind in _HTTP or kind.startswith("databricks"):
        if kind in _HTTP and not _host(named):
            raise _no_address(named)
        return Place(root, named, "server")
    allowed = variables.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
    if kind == "file" or ("://" not in named and ":/" not in named):
        if not allowed:
            mend = f"Name a database in MLFLOW_TRACKING_URI, sqlite:////home/me/mlflow.db, {_UNSET}"
            raise TrackingError("tracking", f"{redacted(named)} is a directory, where MLflow keeps no runs", mend)
        return Place(root, named, "database")
    if "://" not in named:
        raise _no_address(named)
    place = Place(root, named, "database")
    own = place.file is not None and place.file.resolve() == root / "mlflow.db"
    return Place(root, named, "own") if own else place


def folder_of(experiment: str) -> str:
    """The name of an experiment's directory."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in experiment)


def local(location: str) -> Path | None:
    """The directory that an artifact location names on this machine; None where it names none."""
    if location.startswith("file:"):
        return Path(unquote(urlsplit(location).path))
    return Path(location) if location.startswith("/") else None


def _file(uri: str) -> Path | None:
    import sqlalchemy

    try:
        url = sqlalchemy.make_url(uri)
    except sqlalchemy.exc.ArgumentError:
        return None
    named = url.get_backend_name() == "sqlite" and not url.query and url.host is None
    return Path(url.database) if named and url.database else None


def _host(uri: str) -> str | None:
    try:
        return urlsplit(uri).hostname
    except ValueError:
        return None


def _no_address(named: str) -> TrackingError:
    mend = f"Write MLFLOW_TRACKING_URI like http://host:5000 or postgresql://user@host/name, {_UNSET}"
    return TrackingError("tracking", f"{redacted(named)} is no address", mend)
