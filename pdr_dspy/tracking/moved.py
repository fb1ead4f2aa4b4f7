"""A project that is not where it was: MLflow writes down where artifacts go with every experiment and every run.

Moved with its directory, a database still names the old one, and MLflow makes that again and writes there. So the
project's own database is told where it is now. What lies in the old directory alone, and is there, stays named there.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Collection
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
        if not {"experiments", "runs", "tags"} <= tables:
            return  # not MLflow's: opening it says so
        found = opened.execute("SELECT experiment_id, name, artifact_location FROM experiments").fetchall()
        said: dict[Path, int] = {}
        for identity, name, location in found:
            old = _elsewhere(place, identity, {name, *_studies(opened, identity)}, location or "")
            if old is not None:
                left = _brought(opened, place, identity, location, old)
                if left is not None:  # of an experiment without runs, as MLflow's "Default", nothing is to be told
                    said[old.parents[1]] = said.get(old.parents[1], 0) + left
    for was, left in said.items():
        stay = f"; those of {left} earlier runs stay in {was / 'mlruns'}" if left else ""
        _log.warning("MLflow: this project was at %s; artifacts now go to %s%s", was, place.root / "mlruns", stay)


def _studies(opened: sqlite3.Connection, identity: int) -> list[str]:
    """What the studies of an experiment are called: whoever renames it leaves its directory as it is."""
    words = "SELECT DISTINCT value FROM tags JOIN runs USING (run_uuid) WHERE experiment_id = ? AND key = 'study'"
    return [str(name) for (name,) in opened.execute(words, (identity,)).fetchall()]


def _elsewhere(place: Place, identity: int, names: Collection[str], location: str) -> Path | None:
    """The directory an experiment's artifacts were in before the project came here; None where it is right."""
    old = local(location)
    if old is None or len(old.parts) < 3 or old.parent.name != "mlruns":
        return None
    if old.name not in {str(identity), *map(folder_of, names)} or old.parents[1] == place.root:
        return None
    if not os.path.isdir(old.parent):
        return old  # moved
    here, other = place.root / "mlruns", old.parents[1] / "mlflow.db"
    copied = os.path.isdir(here / old.name) and not os.path.samefile(old.parent, here)
    # Artifacts may have been left out of a copy; a database of its own says whose the old place is.
    beside = other.is_file() and not os.path.samefile(other, place.root / "mlflow.db")
    return old if copied or beside else None


def _brought(opened: sqlite3.Connection, place: Place, identity: int, location: str, old: Path) -> int | None:
    """Name the new directory; how many runs stay in the old one, where alone their artifacts are (None: no runs)."""
    new = (place.root / "mlruns" / old.name).as_uri()
    opened.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (new, identity))
    left = 0
    studies = "SELECT run_uuid FROM tags WHERE key = 'role' AND value = 'study'"
    words = f"SELECT run_uuid, artifact_uri, run_uuid IN ({studies}) FROM runs WHERE experiment_id = ?"
    runs = opened.execute(words, (identity,)).fetchall()
    for run, uri, written in runs:
        if not (uri or "").startswith(f"{location}/"):
            continue
        rest = uri[len(location) :]
        before, now = local(uri), local(new + rest)
        alone = before is not None and os.path.exists(before) and now is not None and not os.path.exists(now)
        if alone and not written:  # a study's run goes on, and its files are made anew at its end
            left += 1
        else:
            opened.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (new + rest, run))
    return left if runs else None
