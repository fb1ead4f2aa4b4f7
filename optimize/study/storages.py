"""Where a study is kept: a journal file of one process, or a database that the workers of a study share.

Says what is wrong with a storage without repeating its URL, which may hold a password. Knows nothing of searches.
"""

from __future__ import annotations

import random
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage

from optimize.study.database import Database, reason
from optimize.study.journal import JournalFile
from optimize.study.state import JOURNAL
from pdr_dspy.databases import in_memory, patience
from pdr_dspy.errors import InputError

HEARTBEAT = 60
"""Seconds between two signs of life of a running trial in a database."""

GRACE = 3
"""Heartbeats that may be missing before a trial counts as lost. All workers of a study must mean the same by it."""

_LOCKED = 60.0  # seconds that another program may be writing to a SQLite database
_OPENINGS = 10  # times that tables are looked at anew while other workers make them
_DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb", "redis", "mssql", "oracle")
_DRIVER = "postgresql+psycopg"
_NOTICE = {
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 40_000,
}
"""libpq's options, in seconds (the last in milliseconds). Without them a broken connection is waited for for hours."""


def open_storage(url: str | None, directory: Path, heartbeat: int | None = None) -> BaseStorage:
    """The storage of a study: a journal file in its directory, or whatever the URL names.

    Args:
        url: `sqlite:///x.db`, `postgresql://...`, a path of a journal file, or None.
        directory: The study's directory.
        heartbeat: Seconds between two signs of life of a trial in a database (default `HEARTBEAT`).

    Raises:
        InputError: a storage that can't be opened (the URL is not repeated: it may hold a password).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    check_storage(url)
    if is_shared(url):
        assert url is not None
        return _database(url, HEARTBEAT if heartbeat is None else heartbeat)
    path = directory / JOURNAL if url is None else Path(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFile(path))
    except OSError as error:
        raise InputError(
            "storage", f"{path} can't be opened ({error.strerror})", "Name a file that can be written"
        ) from error
    except (KeyError, TypeError, ValueError, AssertionError) as error:  # lines that make no sense one after another
        raise InputError(
            "storage", f"{path} is damaged ({type(error).__name__}: {error})", "Move it away; completions stay stored"
        ) from error


def check_storage(url: str | None) -> None:
    """Check what a storage's address says by itself; nothing is opened.

    Raises:
        InputError: it would be gone with this process, or is neither a database's address nor a file's name.
    """
    if url is None:
        return
    if in_memory(url):
        problem = "it is in memory: the study would end with this process, and could not be gone on with"
        raise InputError("storage", problem, "Name a file, sqlite:///search.db, or leave --storage out for one")
    kind, colon, _ = url.partition(":")
    if not url.strip() or (colon and "://" not in url and kind.lower().partition("+")[0] in _DATABASES):
        mend = "Write it like postgresql://user@host/name or sqlite:///search.db"
        raise InputError("storage", "it is no address of a database and no name of a file", mend)


def present_storage(url: str | None, directory: Path) -> BaseStorage | None:
    """The storage of a study, to be read alone; None where there is none yet, and none is made.

    Args:
        url, directory: As those of `open_storage`.

    Raises:
        InputError: it can't be opened.
    """
    check_storage(url)
    if is_shared(url):
        assert url is not None
        return open_storage(url, directory) if _has_tables(url) else None
    path = directory / JOURNAL if url is None else Path(url)
    return open_storage(url, directory) if path.is_file() else None


def _has_tables(url: str) -> bool:
    """Whether a database is there and has studies in it. One that can't be asked has: opening it says why."""
    import sqlalchemy

    try:
        address = sqlalchemy.make_url(_with_driver(url))
        if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
            return False
        engine = sqlalchemy.create_engine(address, connect_args=patience(_with_driver(url)))
        try:
            return sqlalchemy.inspect(engine).has_table("studies")
        finally:
            engine.dispose()
    except (sqlalchemy.exc.SQLAlchemyError, ImportError):
        return True


def is_shared(url: str | None) -> bool:
    """Whether several workers may search one study in this storage: databases, not journal files."""
    return url is not None and "://" in url


def _database(url: str, heartbeat: int) -> Database:
    # What `ask` warns of on every call is seen to: see `optimize.study.heartbeat`.
    warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")
    for name in ("heartbeat_interval", "fail_stale_trials"):
        warnings.filterwarnings("ignore", message=f".*{name}", category=optuna.exceptions.ExperimentalWarning)
    kind = url.partition("://")[0]
    name = kind.partition("+")[0]
    plain = _with_driver(url)
    try:
        waits: dict[str, Any] = {"timeout": _LOCKED} if name == "sqlite" else {**_watched(plain), **patience(plain)}
    except Exception:  # no address, or its driver is not there: opening it says so
        waits = {}
    until = time.monotonic() + _LOCKED
    for left in reversed(range(_OPENINGS)):
        try:
            return Database(
                plain,
                engine_kwargs={"pool_pre_ping": True, "connect_args": dict(waits)},
                heartbeat_interval=heartbeat,
                grace_period=GRACE * heartbeat,
            )
        except ImportError as error:
            known = name in ("postgresql", "postgres")
            mend = "pip install 'psycopg[binary]', or the extra [postgres]" if known else "pip install its driver"
            raise InputError("storage", f"the driver of {kind} is not installed", mend) from error
        except Exception as error:  # SQLAlchemy's, the driver's, Alembic's
            if left and _being_made(error) and time.monotonic() < until:
                time.sleep(random.uniform(0.1, 0.5))
                continue
            said = reason(error)
            if "database is locked" in said:
                mend = "Another program is writing to it: end that, and give the same command"
                raise InputError("storage", f"it can't be opened ({said})", mend) from None
            raise InputError(
                "storage",
                f"it can't be opened ({said})",
                "Write it like postgresql://user@host/name or sqlite:///search.db (in a password / is %2F, @ is %40; "
                "better give it as PGPASSWORD), or leave --storage out for a file",
            ) from None
    raise AssertionError("the last turn returns or raises")


def _watched(url: str) -> dict[str, int]:
    """What libpq needs to notice within a minute that a server is gone without a word; what the URL says counts."""
    import sqlalchemy

    try:
        address = sqlalchemy.make_url(url)
    except sqlalchemy.exc.ArgumentError:
        return {}  # opening it says what is wrong
    libpq = "psycopg" in address.drivername
    return {name: value for name, value in _NOTICE.items() if name not in address.query} if libpq else {}


def _with_driver(url: str) -> str:
    # Which driver a plain postgresql:// means depends on SQLAlchemy's version.
    kind, _, rest = url.partition("://")
    return f"{_DRIVER}://{rest}" if kind in ("postgresql", "postgres") else url


def _being_made(error: Exception) -> bool:
    """Whether another process made the same tables at the same instant."""
    text = str(error).lower()
    return any(sign in text for sign in ("already exists", "duplicate key", "unique constraint", "database is locked"))
