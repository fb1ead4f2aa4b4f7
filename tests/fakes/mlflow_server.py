"""A scripted MLflow server: what the tracker asks of one, in memory, with limits of its own, refusing when told to.

Real HTTP on the loopback address, so that the real MLflow client is what is tested. Artifacts are taken as a server
takes them that passes them on (`mlflow-artifacts:`).
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Fault = Callable[[str], int | None]
"""Given a request's path: the status to refuse it with; None answers it."""


class Refused(Exception):
    """An answer that is an error, as MLflow has them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code = status, code
        super().__init__(message)


class FakeMLflow:
    """A server with one memory. Use it in `with`.

    Args:
        param_length, tag_length: Characters it takes; more is a 400, as older servers have it.
        key_pattern: Names of params that it takes.
        fault: Refuses requests.

    Attributes:
        runs: By id: `info` and `data` as MLflow's API has them.
        artifacts: By path below the run: `<run>/name`.
        requests: Methods and paths, in order.
    """

    def __init__(
        self, *, param_length: int = 6000, tag_length: int = 8000, key_pattern: str = ".*", fault: Fault | None = None
    ) -> None:
        self.param_length, self.tag_length, self.key_pattern = param_length, tag_length, key_pattern
        self.fault: Fault = fault or (lambda _: None)
        self.experiments: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, bytes] = {}
        self.requests: list[str] = []
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Silent."""

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, said = fake._answered(self.command, self.path, body)
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                if 300 <= status < 400:
                    self.send_header("Location", "http://elsewhere.invalid/")
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = _any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeMLflow:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def tags(self, run: str) -> dict[str, str]:
        """A run's tags."""
        return {tag["key"]: tag["value"] for tag in self.runs[run]["data"]["tags"]}

    def params(self, run: str) -> dict[str, str]:
        """A run's params."""
        return {one["key"]: one["value"] for one in self.runs[run]["data"]["params"]}

    def of(self, role: str) -> list[str]:
        """Runs of a role that are not deleted."""
        live = [run for run, kept in self.runs.items() if kept["info"]["lifecycle_stage"] == "active"]
        return [run for run in live if self.tags(run).get("role") == role]

    def _answered(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(path)
        with self._lock:
            self.requests.append(f"{method} {parts.path}")
            if (status := self.fault(parts.path)) is not None:
                return status, {"error_code": "INTERNAL_ERROR", "message": f"refused with {status}"}
            if "/mlflow-artifacts/artifacts/" in parts.path:
                self.artifacts[unquote(parts.path.split("/artifacts/", 1)[1])] = body
                return 200, {}
            asked = json.loads(body) if body else {key: values[0] for key, values in parse_qs(parts.query).items()}
            name = parts.path.split("/mlflow/", 1)[1].replace("/", "_").replace("-", "_")
            try:
                return 200, getattr(self, f"_{name}")(asked)
            except Refused as error:
                return error.status, {"error_code": error.code, "message": str(error)}

    def _experiments_get_by_name(self, asked: dict[str, Any]) -> Any:
        for one in self.experiments.values():
            if one["name"] == asked["experiment_name"]:
                return {"experiment": one}
        raise Refused(404, "RESOURCE_DOES_NOT_EXIST", "no such experiment")

    def _experiments_search(self, asked: dict[str, Any]) -> Any:
        return {"experiments": [one for one in self.experiments.values() if one["lifecycle_stage"] == "active"]}

    def _experiments_create(self, asked: dict[str, Any]) -> Any:
        identity = str(len(self.experiments) + 1)
        self.experiments[identity] = {
            "experiment_id": identity,
            "name": asked["name"],
            "artifact_location": f"mlflow-artifacts:/{identity}",
            "lifecycle_stage": "active",
        }
        return {"experiment_id": identity}

    def _runs_create(self, asked: dict[str, Any]) -> Any:
        experiment = self.experiments[asked["experiment_id"]]
        if experiment["lifecycle_stage"] != "active":
            raise Refused(400, "INVALID_PARAMETER_VALUE", "The experiment must be in the 'active' state")
        identity = uuid.uuid4().hex
        self.runs[identity] = {
            "info": {
                "run_id": identity,
                "run_uuid": identity,
                "run_name": asked.get("run_name", ""),
                "experiment_id": asked["experiment_id"],
                "status": "RUNNING",
                "start_time": asked.get("start_time", 0),
                "lifecycle_stage": "active",
                "artifact_uri": f"mlflow-artifacts:/{identity}",
            },
            "data": {"metrics": [], "params": [], "tags": list(asked.get("tags", []))},
        }
        return {"run": self.runs[identity]}

    def _runs_get(self, asked: dict[str, Any]) -> Any:
        if (run := asked["run_id"]) not in self.runs:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Run {run} not found")
        return {"run": self.runs[run]}

    def _runs_update(self, asked: dict[str, Any]) -> Any:
        run = self._live(asked)
        run["info"].update({key: asked[key] for key in ("status", "end_time") if key in asked})
        return {"run_info": run["info"]}

    def _runs_delete(self, asked: dict[str, Any]) -> Any:
        self._live(asked)["info"]["lifecycle_stage"] = "deleted"
        return {}

    def _runs_search(self, asked: dict[str, Any]) -> Any:
        wanted = dict(re.findall(r'tags\.(\w+) = "([^"]*)"', asked.get("filter", "")))
        found = []
        for identity, run in self.runs.items():
            live = (
                run["info"]["lifecycle_stage"] == "active" and run["info"]["experiment_id"] in asked["experiment_ids"]
            )
            if live and wanted.items() <= self.tags(identity).items():
                found.append(run)
        return {"runs": found}

    def _runs_set_tag(self, asked: dict[str, Any]) -> Any:
        return self._runs_log_batch({"run_id": asked["run_id"], "tags": [asked]})

    def _runs_log_batch(self, asked: dict[str, Any]) -> Any:
        run = self._live(asked)
        for one in asked.get("params", []):
            if len(one["value"]) > self.param_length:
                length, limit = len(one["value"]), self.param_length
                raise Refused(
                    400,
                    "INVALID_PARAMETER_VALUE",
                    f"Param value '{one['value'][:20]}' had length {length}, which exceeded length limit of {limit}",
                )
            if not re.fullmatch(self.key_pattern, one["key"]):
                raise Refused(400, "INVALID_PARAMETER_VALUE", f"Invalid parameter name: '{one['key']}'")
        if any(len(one["value"]) > self.tag_length for one in asked.get("tags", [])):
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"Tag value exceeded length limit of {self.tag_length}")
        data = run["data"]
        for kind in ("metrics", "params", "tags"):
            new = [
                {key: one[key] for key in ("key", "value", "timestamp", "step") if key in one}
                for one in asked.get(kind, [])
            ]
            names = {one["key"] for one in new}
            data[kind] = [one for one in data[kind] if one["key"] not in names] + new
        return {}

    def _live(self, asked: dict[str, Any]) -> dict[str, Any]:
        run: dict[str, Any] = self._runs_get(asked)["run"]
        if run["info"]["lifecycle_stage"] != "active":
            raise Refused(400, "INVALID_PARAMETER_VALUE", "The run must be in the 'active' state")
        return run
