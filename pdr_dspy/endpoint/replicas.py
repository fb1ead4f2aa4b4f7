"""Which replica takes the next request: the one with the fewest in flight; one that can't be reached is rested.

Pure book-keeping; knows nothing of HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_REST = 2.0  # seconds after the first failed connection; doubles with each in a row
_LONGEST_REST = 60.0


@dataclass
class Replica:
    """One address.

    Attributes:
        url: Base address.
        in_flight: Requests on their way there.
        failures: Failed connections in a row.
        awake_at: When it may be asked again (the clock's seconds).
        served: Requests sent there so far.
    """

    url: str
    in_flight: int = 0
    failures: int = 0
    awake_at: float = 0.0
    served: int = 0


class Replicas:
    """The replicas of one model.

    Args:
        urls: Their base addresses.
        clock: Seconds, monotonic.
    """

    def __init__(self, urls: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.all = tuple(Replica(url) for url in urls)
        self._clock = clock

    def take(self, preferred: str | None = None) -> Replica:
        """The next request's replica; `release` it afterwards. Where all rest, the one that wakes first.

        Args:
            preferred: Address that has the prompt's beginning in its cache; taken if it is awake.
        """
        now = self._clock()
        awake = [r for r in self.all if r.awake_at <= now]
        # Ties go to the one asked least, so that a first burst spreads.
        least = min(awake, key=lambda r: (r.url != preferred, r.in_flight, r.served), default=None)
        chosen = least or min(self.all, key=lambda r: r.awake_at)
        chosen.in_flight += 1
        chosen.served += 1
        return chosen

    def release(self, replica: Replica) -> None:
        """The request has ended."""
        replica.in_flight -= 1

    def answered(self, replica: Replica) -> None:
        """It answered, whatever it said: it is there."""
        replica.failures = 0
        replica.awake_at = 0.0

    def unreachable(self, replica: Replica) -> None:
        """The connection failed: rest it, longer each time."""
        replica.awake_at = self._clock() + min(_REST * 2 ** min(replica.failures, 10), _LONGEST_REST)
        replica.failures += 1

    @property
    def any_awake(self) -> bool:
        """Whether some replica may be asked right away."""
        now = self._clock()
        return any(r.awake_at <= now for r in self.all)
