"""Whether a tracking server or database answers, asked once and known in seconds. MLflow itself tries for minutes."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from pdr_dspy.databases import PATIENCE, silence
from pdr_dspy.secrets.redaction import redacted
from pdr_dspy.tracking.place import Place, TrackingError
from pdr_dspy.tracking.text import cut

_ASKED = "/api/2.0/mlflow/experiments/get-by-name"
_START = "Start it or mend MLFLOW_TRACKING_URI, or unset that: runs then go to mlflow.db in the project"
_KEY = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


def connects(place: Place) -> None:
    """Connect to where runs go, once, and wait at most `PATIENCE` seconds. MLflow, slow to import, is not needed.

    Raises:
        TrackingError: it can't be had.
    """
    scheme, _, _ = place.uri.partition(":")
    if place.kind == "server" and scheme.lower() in ("http", "https"):
        _connect(place, urlsplit(place.uri))
    elif place.kind == "database" and "://" in place.uri and place.uri.partition(":")[0] not in ("file", "sqlite"):
        try:
            reason = silence(place.uri)
        except ImportError as error:
            raise TrackingError("tracking", f"{place.shown} needs the module {error.name}", "Install it") from None
        if reason is not None:
            raise TrackingError("tracking", f"{place.shown} does not answer ({reason})", _START)


def answers(place: Place, client: Any, experiment: str) -> None:
    """Ask a server for an experiment, once, and wait at most `PATIENCE` seconds for an answer; connect to a database.

    Args:
        place: Where runs go.
        client: The MLflow client of a server.
        experiment: Its name.

    Raises:
        TrackingError: nobody answers, or not as an MLflow server.
    """
    if place.kind == "server":
        _server(place, client, experiment)
    else:
        connects(place)


def _connect(place: Place, url: SplitResult) -> None:
    try:
        host, port = str(url.hostname), url.port or {"http": 80, "https": 443}[url.scheme]
        if url.scheme in getproxies() and not proxy_bypass(host):
            return  # who connects then is the proxy: a request says more
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except (OSError, ValueError) as error:  # nobody there, no such host, no port
        reason = getattr(error, "strerror", None) or str(error)
        raise TrackingError("tracking", f"{place.shown} does not answer ({redacted(reason)})", _START) from None


def _server(place: Place, client: Any, experiment: str) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.utils.rest_utils import http_request

    ask: Any = http_request  # it has no types
    how = {
        "params": {"experiment_name": experiment},
        "max_retries": 0,
        "timeout": PATIENCE,
        "retry_timeout_seconds": PATIENCE,
        "raise_on_status": False,
        "allow_redirects": False,
    }
    try:
        response = ask(client._tracking_client.store.get_host_creds(), _ASKED, "GET", **how)
    except MlflowException as error:
        said = cut(redacted(" ".join(str(error).split())), 300)
        raise TrackingError("tracking", f"{place.shown} does not answer ({said})", _START) from None
    status = response.status_code
    if status in (401, 403):
        raise TrackingError("tracking", f"{place.shown} refuses the key, or there is none ({status})", _KEY)
    if 300 <= status < 400:
        there = redacted(response.headers.get("Location", "elsewhere"))
        raise TrackingError("tracking", f"{place.shown} sends requests on to {there}", "Name that server, if it is it")
    if status >= 500 or status in (408, 429):
        raise TrackingError("tracking", f"{place.shown} answers with {status}", f"Look after it. {_START}")
    if not _is_mlflow(status, response.text):
        raise TrackingError("tracking", f"no MLflow server answers at {place.shown} ({status})", _START)


def _is_mlflow(status: int, text: str) -> bool:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and ("experiment" in said if status == 200 else "error_code" in said)
