"""Signs of life: a thread that says in the storage, again and again, that trials are being worked on.

Optuna's own thread belongs to `Study.optimize`; a search that asks and tells must do it itself. A thread and not a
task, so that a busy event loop is not taken for a dead worker. Knows nothing of studies.
"""

from __future__ import annotations

import logging
import threading

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage

logger = logging.getLogger(__name__)


class Pulse:
    """Signs of life of the trials it was given, until they are taken back.

    Args:
        storage: Where the trials are; its heartbeat interval is kept.
    """

    def __init__(self, storage: RDBStorage) -> None:
        self._storage = storage
        self._trials: set[int] = set()
        self._lock = threading.Lock()
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None
        self._silent = False

    def begin(self, trial: int) -> None:
        """Say that this trial (its id) is alive, now and from now on."""
        self._storage.record_heartbeat(trial)
        with self._lock:
            self._trials.add(trial)
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
                self._thread.start()

    def end(self, trial: int) -> None:
        """Nothing more of this trial."""
        with self._lock:
            self._trials.discard(trial)

    def stop(self) -> None:
        """Nothing more at all."""
        self._halt.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self) -> None:
        interval = self._storage.get_heartbeat_interval()
        while not self._halt.wait(interval):
            with self._lock:
                trials = sorted(self._trials)
            for trial in trials:
                try:
                    self._storage.record_heartbeat(trial)
                    self._silent = False
                except StorageInternalError as error:
                    # The next beat may get through; until then others may take the trial for lost.
                    if not self._silent:
                        logger.warning("the storage does not answer (%s)", type(error.__cause__).__name__)
                    self._silent = True
        self._storage.remove_session()
