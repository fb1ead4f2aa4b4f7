"""A study's database: what to do while it is away, and what to say where it stays away.

A database restarts, fails over, loses a connection: its workers wait for it, and say so, instead of ending. A statement
that failed is sent again, though it may have been carried out and its answer alone be lost. That does no more than a
worker's death at the same instant: what is then there twice, or belongs to nobody, the study sorts out (`recovery`).
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from pdr_dspy.errors import InputError
from pdr_dspy.secrets.redaction import redacted

logger = logging.getLogger(__name__)

PATIENCE = 300.0
"""Seconds that a database may be away."""

AGAIN = 1.0
"""Seconds between two tries."""

_PASSING = ("08", "57P0", "53300", "55000", "40001", "40P01")
"""How PostgreSQL's codes begin that say: not now (no connection, shutting down, too many, not open, a conflict)."""

_FULL = ("53100",)
_SQLITE_FULL = "database or disk is full"
_SQLITE_BUSY = "database is locked"

T = TypeVar("T")


class Database(RDBStorage):
    """Optuna's storage in a database, which may be away for a while. Arguments as `RDBStorage`'s."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._away: float | None = None  # since when, on the monotonic clock
        self._watch = threading.Lock()
        self._left = threading.Event()
        super().__init__(*arguments, **options)

    def leave(self) -> None:
        """Wait for it no longer: this worker ends."""
        self._left.set()

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As `RDBStorage`'s; sent twice it is done once, and one worker alone begins a waiting trial."""
        if state == TrialState.RUNNING:
            return self._kept_at(lambda: self._begin(trial_id))
        tries = 0

        def attempt() -> bool:
            nonlocal tries
            tries += 1
            try:
                return super(Database, self).set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                if tries > 1 and _is(self.get_trial(trial_id), state, values):
                    return True
                raise

        return self._kept_at(attempt)

    def _begin(self, trial: int) -> bool:
        # Optuna looks and then writes, under a row's lock that SQLite does not have: two would begin it.
        import sqlalchemy
        from optuna.storages._rdb.models import TrialModel

        waiting = (TrialModel.trial_id == trial, TrialModel.state == TrialState.WAITING)
        begun = {"state": TrialState.RUNNING, "datetime_start": datetime.now()}
        with self.engine.begin() as connection:
            return connection.execute(sqlalchemy.update(TrialModel).where(*waiting).values(**begun)).rowcount == 1

    def _kept_at(self, attempt: Callable[[], T]) -> T:
        while True:
            try:
                found = attempt()
            except Exception as error:
                if not passing(error):
                    raise
                with self._watch:
                    first = self._away is None
                    since = self._away = time.monotonic() if self._away is None else self._away
                if self._left.is_set() or time.monotonic() - since > PATIENCE:
                    raise
                if first:
                    logger.warning("the storage does not answer (%s); waiting for it", reason(error))
                self._left.wait(AGAIN)
                continue
            with self._watch:
                was, self._away = self._away, None
            if was is not None:
                logger.warning("the storage answers again, after %.0f s", time.monotonic() - was)
            return found


def _patient(name: str) -> Callable[..., Any]:
    original = getattr(RDBStorage, name)

    @functools.wraps(original)
    def method(self: Database, *arguments: Any, **options: Any) -> Any:
        return self._kept_at(lambda: original(self, *arguments, **options))

    return method


# What a search asks while it runs; Optuna's cache in front of the storage calls some of them by their own names.
for _name in (
    *("set_study_user_attr", "set_study_system_attr", "get_study_user_attrs", "get_study_system_attrs"),
    *("get_study_directions", "get_study_id_from_name", "get_study_name_from_id", "get_all_studies"),
    *("_create_new_trial", "_set_trial_param", "set_trial_user_attr", "set_trial_system_attr"),
    *("get_trial", "_get_trials", "get_trial_id_from_study_id_trial_number"),
):
    setattr(Database, _name, _patient(_name))


def _is(trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> bool:
    return trial.state == state and (values is None or list(trial.values or []) == list(values))


def passing(error: Exception) -> bool:
    """Whether a failure says that a database is away, and may be back."""
    from sqlalchemy.exc import DBAPIError

    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, DBAPIError):
        return False
    code = getattr(cause.orig, "sqlstate", None)
    if code:
        return str(code).startswith(_PASSING)
    text = str(cause.orig).lower()
    if "sqlite" in type(cause.orig).__module__:
        return _SQLITE_BUSY in text
    return cause.connection_invalidated or type(cause.orig).__name__ in ("OperationalError", "InterfaceError")


def reason(error: Exception) -> str:
    """What a database said, in a line and without secrets."""
    cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None)
    said = " ".join(str(cause).split())[:200] if cause is not None else ""
    return redacted(f"{type(error).__name__}: {said}" if said else type(error).__name__)


def unreachable(error: StorageInternalError) -> InputError:
    """What to tell a person whose search ended because its database failed."""
    orig = getattr(error.__cause__, "orig", None)
    full = getattr(orig, "sqlstate", None) in _FULL or _SQLITE_FULL in str(orig)
    what = "its disk is full" if full else "it does not answer any more"
    mend = "Free space there" if full else "Look after it"
    return InputError("storage", f"{what} ({reason(error)})", f"{mend}; the same command goes on")
