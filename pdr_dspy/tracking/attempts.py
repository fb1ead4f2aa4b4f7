"""What goes wrong while something is tracked: caught, told, kept, and what can be made good is made good later."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pdr_dspy.databases import PATIENCE
from pdr_dspy.secrets.redaction import redacted
from pdr_dspy.tracking.contact import answers
from pdr_dspy.tracking.place import Place, TrackingError
from pdr_dspy.tracking.text import cut

T = TypeVar("T")

_OWED = 200  # what is kept to be tried again, at most: each may hold a table of every problem
_PAUSE = 30.0  # seconds in which a server that took connections and said nothing is not asked again
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackingFailure:
    """Something that was not tracked.

    Attributes:
        action: What was being done (`log trial 12`).
        error: The exception's type.
        detail: Its message (no secrets).
    """

    action: str
    error: str
    detail: str

    def __str__(self) -> str:
        return f"{self.action}: {self.error}: {self.detail}"


class Attempts:
    """Does what may fail. After a failure the server is asked whether it is there, before MLflow tries for a minute.

    Args:
        place: Where runs go.
        client: The MLflow client.
        experiment: The experiment's name.

    Attributes:
        failures: What could not be done, in order.
        doubtful: Whether the last thing that was tried failed.
    """

    def __init__(self, place: Place, client: Any, experiment: str) -> None:
        self._place = place
        self._client = client
        self._experiment = experiment
        self._owed: dict[str, Callable[[], Any]] = {}
        self._away = False
        self._mute: tuple[float, TrackingError] | None = None  # until when it is not asked again, and why
        self.failures: list[TrackingFailure] = []
        self.doubtful = False

    def reach(self) -> None:
        """Ask whether the server is there.

        Raises:
            TrackingError: it is not.
        """
        if self._mute is not None and time.monotonic() < self._mute[0]:
            raise self._mute[1]
        began = time.monotonic()
        try:
            answers(self._place, self._client, self._experiment)
        except TrackingError as error:
            now = time.monotonic()
            self._mute = (now + _PAUSE, error) if now - began >= PATIENCE else None
            raise
        self._mute = None

    def tried(self, action: str, work: Callable[[], T], otherwise: T, *, again: bool = False) -> T:
        """What some work returns; something else where it fails, which is kept (with `again`: to be tried again)."""
        self._away = False
        try:
            if self.doubtful:
                self.reach()
            done = work()
        except Exception as error:  # a search goes on without its tracker; what is raised is the store's business
            self.doubtful = True
            self._away = isinstance(error, TrackingError)
            self.failed(action, error)
            if again and len(self._owed) < _OWED:
                self._owed[action] = work
            return otherwise
        self.doubtful = False
        return done

    def failed(self, action: str, error: Exception) -> None:
        """Keep that something failed, and say it once."""
        failure = TrackingFailure(action, type(error).__name__, cut(redacted(" ".join(str(error).split())), 300))
        if failure not in self.failures:
            self.failures.append(failure)
            _log.warning("not tracked: %s", failure)

    def catch_up(self) -> None:
        """Do what failed before, as far as that is possible now; what then succeeds is no failure any more."""
        for action, work in list(self._owed.items()):
            if self.tried(action, work, None) is not None:
                del self._owed[action]
                self.failures[:] = [one for one in self.failures if one.action != action]
            elif self._away:
                return
