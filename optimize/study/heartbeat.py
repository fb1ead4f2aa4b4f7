"""Signs of life: a thread that says in the storage, again and again, that trials are being worked on.

Optuna's own are times of the database's clock, which may be set forward or back, so that all seem dead at once or none
for hours. These are numbers that go up, kept with the trials; who looks for the dead (`Liveness`) counts for how long
he himself has seen none go up. A thread and not a task, so that a busy event loop is not taken for a dead worker. Knows
nothing of studies.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage

logger = logging.getLogger(__name__)

BEAT = "beat"
"""The attribute of a trial that goes up as long as its worker lives."""

LEAVING = 5.0
"""Seconds that a thread gets to end which a storage that does not answer may hold."""


class Liveness:
    """For how long no sign of life came of trials, as one process sees it.

    Args:
        grace: Seconds without any, after which a trial's worker is dead.
        most: Seconds that count at most between two looks: who slept himself (a suspended machine, a database that was
            away) has seen nothing meanwhile, also no silence.
        now: The monotonic clock.
    """

    def __init__(self, grace: float, most: float, now: Callable[[], float] = time.monotonic) -> None:
        self._grace = grace
        self._most = most
        self._now = now
        self._looked: float | None = None
        self._heard: dict[int, tuple[object, float]] = {}  # the last sign of a trial, and seconds of silence since

    def silent(self, signs: Mapping[int, object]) -> list[int]:
        """The trials that were silent for too long.

        Args:
            signs: The last sign of every running trial, by its id: whatever it is, it changes as long as it lives.
        """
        now = self._now()
        passed = 0.0 if self._looked is None else min(self._most, max(0.0, now - self._looked))
        self._looked = now
        before = self._heard
        self._heard = {
            trial: (sign, before[trial][1] + passed if trial in before and before[trial][0] == sign else 0.0)
            for trial, sign in signs.items()
        }
        return [trial for trial, (_, silent) in self._heard.items() if silent > self._grace]


class Heartbeat:
    """Signs of life of the trials it was given, until they are taken back.

    Args:
        storage: Where the trials are; its heartbeat interval is kept.
    """

    def __init__(self, storage: RDBStorage) -> None:
        self._storage = storage
        self._trials: dict[int, int] = {}
        self._taken: set[int] = set()
        self._lock = threading.Lock()
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None
        self._silent = False

    def begin(self, trial: int) -> None:
        """Say that this trial (its id) is alive, now and from now on."""
        self._storage.set_trial_user_attr(trial, BEAT, 0)
        with self._lock:
            self._trials[trial] = 0
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
                self._thread.start()

    def end(self, trial: int) -> None:
        """Nothing more of this trial."""
        with self._lock:
            self._trials.pop(trial, None)

    def taken(self, trial: int) -> bool:
        """Whether others have taken this trial for lost (this process was silent for too long)."""
        with self._lock:
            return trial in self._taken

    def stop(self) -> None:
        """Nothing more at all."""
        self._halt.set()
        if self._thread is not None:
            self._thread.join(LEAVING)

    def _beat(self) -> None:
        interval = self._storage.get_heartbeat_interval()
        while not self._halt.wait(interval):
            with self._lock:
                trials = dict(self._trials)
            for trial, beats in sorted(trials.items()):
                try:
                    self._storage.set_trial_user_attr(trial, BEAT, beats + 1)
                    self._silent = False
                except UpdateFinishedTrialError:
                    self._give_up(trial)
                    continue
                except StorageInternalError as error:
                    # The next beat may get through; until then others may take the trial for lost.
                    if not self._silent:
                        logger.warning("the storage does not answer (%s)", type(error.__cause__).__name__)
                    self._silent = True
                with self._lock:
                    if trial in self._trials:
                        self._trials[trial] = beats + 1
        self._storage.remove_session()

    def _give_up(self, trial: int) -> None:
        with self._lock:
            if self._trials.pop(trial, None) is not None:  # else it ended meanwhile, as it should
                self._taken.add(trial)
