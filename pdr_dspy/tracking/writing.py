"""Makes runs and writes to them, within what a server takes and without secrets. Raises what MLflow raises."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pdr_dspy.secrets.redaction import redacted_json
from pdr_dspy.tracking.batches import Batches
from pdr_dspy.tracking.text import table, written

NOTHING: Mapping[str, Any] = MappingProxyType({})
FOUND_BY = ("study", "role", "trial", "study_run")
"""Tags a run is found by; set when it is made, nobody else's to set."""

LONG = "long_values.json"
"""Params and tags that had to be cut, whole: an artifact of their run."""

_TABLES = "mlflow.loggedArtifacts"  # a run's artifacts that MLflow shows as tables


class Runs:
    """Runs of an experiment, by their ids.

    Args:
        client: The MLflow client.
        experiment: The experiment's id.
        refused: Is told of a single value that the server does not take at all.
    """

    def __init__(self, client: Any, experiment: str, refused: Callable[[str, Exception], None]) -> None:
        self._client = client
        self._experiment = experiment
        self._refused = refused
        self._batches = Batches(client)

    def create(self, name: str, tags: Mapping[str, str], started: float | None = None) -> str:
        """Make a run; its id."""
        start = round((time.time() if started is None else started) * 1000)
        run = self._client.create_run(self._experiment, start_time=start, run_name=name, tags=dict(tags))
        return str(run.info.run_id)

    def there(self, run: str) -> bool:
        """Whether a run is there: neither deleted nor removed for good."""
        from mlflow.exceptions import MlflowException

        try:
            return bool(self._client.get_run(run).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def find(self, **tags: str) -> list[Any]:
        """Runs that have these tags, all of them: read before anything is changed, for that shifts pages."""
        words = " and ".join(f'tags.{key} = "{value}"' for key, value in tags.items())
        found: list[Any] = []
        page: str | None = ""
        while page is not None:
            part = self._client.search_runs([self._experiment], words, max_results=1000, page_token=page or None)
            found += part
            page = part.token or None
        return found

    def write(
        self,
        run: str,
        *,
        params: Mapping[str, Any] = NOTHING,
        metrics: Mapping[str, float] = NOTHING,
        tags: Mapping[str, Any] = NOTHING,
        artifacts: Mapping[str, str] = NOTHING,
        tables: Mapping[str, Sequence[Mapping[str, Any]]] = NOTHING,
    ) -> None:
        """Write to a run: values, then texts by file name, then rows by table name."""
        own = {name: value for name, value in tags.items() if name not in FOUND_BY}
        if tables:
            new = [{"path": f"{name}.json", "type": "table"} for name in tables]
            own[_TABLES] = json.dumps([*(one for one in self._shown(run) if one not in new), *new])
        left, odd = self._batches.write(run, metrics, params, own)
        more = {}
        if odd:
            more["not_finite"] = ", ".join(odd)
        if left.long:
            more["long_values"] = f"whole in {LONG}: {', '.join(left.long)}"
        refused = [*left.refused, *(self._batches.write(run, NOTHING, NOTHING, more)[0].refused if more else [])]
        for one, error in refused:
            self._refused(f"log {one.kind} {one.name} to {run}", error)
        texts = dict(artifacts)
        if left.long:
            texts[LONG] = json.dumps(left.long, indent=1, ensure_ascii=False)
        for name, text in texts.items():
            self._client.log_text(run, written(text), name)
        for name, rows in tables.items():
            self._client.log_text(run, json.dumps(redacted_json(table(rows)), ensure_ascii=False), f"{name}.json")

    def draw(self, run: str, name: str, html: str | None, png: bytes | None) -> None:
        """Add a figure as `<name>.html` and `<name>.png`."""
        if html is not None:
            self._client.log_text(run, written(html), f"{name}.html")
        if png is not None:
            with tempfile.TemporaryDirectory() as directory:
                path = Path(directory) / f"{Path(name).name}.png"
                path.write_bytes(png)
                folder = str(Path(name).parent)
                self._client.log_artifact(run, str(path), None if folder == "." else folder)

    def _shown(self, run: str) -> list[Any]:
        """The artifacts that MLflow shows as tables; none where the tag was cut or edited."""
        try:
            found = json.loads(self._client.get_run(run).data.tags.get(_TABLES, "[]"))
        except (ValueError, RecursionError):
            return []
        return found if isinstance(found, list) else []
