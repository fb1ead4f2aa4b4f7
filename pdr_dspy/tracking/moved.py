"""A project that is not where it was: MLflow writes down where artifacts go with every experiment and every run.

Moved with its directory, a database still names the old one, and MLflow makes that again and writes there. So the
project's own database is told where it is now. What lies in the old directory alone, and is there, stays named there.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from pdr_dspy.tracking import database
from pdr_dspy.tracking.place import Place, folder_of, local

_log = logging.getLogger(__name__)


def bring_home(place: Place) -> None:
    """Correct in the project's database where artifacts are, if it was moved or copied; says so.

    Raises:
        sqlite3.Error: it is no database, or can't be written.
    """
    with closing(sqlite3.connect(place.root / "mlflow.db", timeout=database.WAIT)) as opened, opened:
        tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"experiments", "runs"} <= tables:
            return  # not MLflow's: opening it says so
        found = opened.execute("SELECT experiment_id, name, artifact_location FROM experiments").fetchall()
        said: dict[Path, int] = {}
        for identity, name, location in found:
            old = _elsewhere(place, identity, name, location or "")
            if old is not None:
                left = _brought(opened, place, identity, location, old)
                said[old.parents[1]] = said.get(old.parents[1], 0) + left
    for was, left in said.items():
        stay = f"; those of {left} earlier runs stay in {was / 'mlruns'}" if left else ""
        _log.warning("MLflow: this project was at %s; artifacts now go to %s%s", was, place.root / "mlruns", stay)


def _elsewhere(place: Place, identity: int, name: str, location: str) -> Path | None:
    """The directory an experiment's artifacts were in before the project came here; None where it is right."""
    old = local(location)
    if old is None or len(old.parts) < 3 or old.parent.name != "mlruns":
        return None
    if old.name not in (folder_of(name), str(identity)) or old.parents[1] == place.root:
        return None
    here = place.root / "mlruns" / old.name
    if not os.path.isdir(old.parent):
        return old  # moved
    copied = os.path.isdir(here) and not os.path.samefile(old.parent, here.parent)
    return old if copied else None


def _brought(opened: sqlite3.Connection, place: Place, identity: int, location: str, old: Path) -> int:
    """Name the new directory; how many runs have their artifacts in the old one alone."""
    new = (place.root / "mlruns" / old.name).as_uri()
    opened.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (new, identity))
    left = 0
    runs = opened.execute("SELECT run_uuid, artifact_uri FROM runs WHERE experiment_id = ?", (identity,)).fetchall()
    for run, uri in runs:
        if not (uri or "").startswith(f"{location}/"):
            continue
        rest = uri[len(location) :]
        before, now = local(uri), local(new + rest)
        if before is not None and os.path.exists(before) and now is not None and not os.path.exists(now):
            left += 1
        else:
            opened.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (new + rest, run))
    return left
