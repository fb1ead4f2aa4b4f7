"""A SQLite database of runs: made whole or not at all, and never migrated unasked."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from pdr_dspy.tracking.place import TrackingError

WAIT = 20.0
"""Seconds that another program may be writing."""


def make_database(path: Path) -> None:
    """Make an empty MLflow database where there is none.

    MLflow makes its tables in place, by dozens of migrations that it can't repeat: killed in the middle of them it
    would leave a database that can never be opened again. So it is made beside, and put into its place when whole.
    """
    if path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        made = Path(folder) / path.name
        opened: Any = SqlAlchemyStore  # it has no types
        store = opened(f"sqlite:///{made}", (path.parent / "mlruns").as_uri())
        store.engine.dispose()
        try:
            os.link(made, path)
        except FileExistsError:
            return  # another process was faster
        except OSError:  # a file system without links
            os.replace(made, path)


def check_schema(path: Path) -> None:
    """Check that a database is of the MLflow that is installed.

    MLflow would migrate some in place, unasked, by steps that it can't repeat or take back, and open others never.

    Raises:
        TrackingError: it is older or newer.
        sqlite3.Error: it is no database.
    """
    from mlflow.store.db import utils

    mlflow: Any = utils  # they have no types
    with closing(sqlite3.connect(path, timeout=WAIT)) as database:
        try:
            found = database.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return  # an empty one, or not MLflow's
    if found is None or found[0] == mlflow._get_latest_schema_revision():
        return
    from alembic.script import ScriptDirectory

    known = {step.revision for step in ScriptDirectory.from_config(mlflow._get_alembic_config("")).walk_revisions()}
    if found[0] in known:
        mend = f"Make a copy of it first, then: mlflow db upgrade 'sqlite:///{path}'"
        raise TrackingError("tracking", f"{path} was made by an older MLflow", mend)
    mend = "Install that, or move the file away, and a new one is made"
    raise TrackingError("tracking", f"{path} was made by a newer MLflow than is installed", mend)
