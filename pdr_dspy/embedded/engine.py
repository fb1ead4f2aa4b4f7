"""The engine as the server sees it: submit a job, get its progress called back on the event loop, cancel it.

Knows nothing of text or HTTP, nor of where the scheduler runs: in a process of its own (`engine_process`, for a
pipeline that holds the GIL) or in a thread of this one (`engine_thread`).
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable

from .jobs import Cancel, Command, Job, Progress

Sink = Callable[[Progress], None]
_LOG = logging.getLogger(__name__)


class Engine(ABC):
    """What runs jobs. All but `close` is for the event loop's thread.

    Args:
        on_death: Called on the event loop if the engine ends by itself.
    """

    def __init__(self, on_death: Callable[[], None]) -> None:
        self._on_death = on_death
        self._sinks: dict[int, Sink] = {}
        self._running: set[int] = set()

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether the engine runs."""

    @property
    @abstractmethod
    def logprobs(self) -> bool:
        """Whether progress has the tokens' log-probabilities."""

    @property
    @abstractmethod
    def version(self) -> str:
        """What generates, for people."""

    @property
    def in_flight(self) -> int:
        """Jobs submitted and not ended, waiting ones included."""
        return len(self._sinks)

    @property
    def running(self) -> int:
        """Jobs being generated; the others in flight wait for a slot or for room in the cache."""
        return len(self._running)

    @abstractmethod
    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start passing the engine's news to the sinks, on this loop."""

    def submit(self, job: Job, sink: Sink) -> None:
        """Queue a job; `sink` gets its progress, the last one with a `finish`."""
        self._sinks[job.id] = sink
        self._send(job)

    def cancel(self, job: int) -> None:
        """Drop a job; its sink still gets the last progress (`abort`, or the end that crossed this message)."""
        if job in self._sinks:
            self._send(Cancel(job))

    @abstractmethod
    def close(self) -> None:
        """End the engine and wait for it."""

    @abstractmethod
    def _send(self, command: Command) -> None:
        """Pass a command on. Raises `ConnectionError` where the engine is closed."""

    def _dispatch(self, news: list[Progress]) -> None:
        for progress in news:
            if progress.finish is not None:
                self._running.discard(progress.id)
                _tell(self._sinks.pop(progress.id), progress)
            elif progress.tokens:
                _tell(self._sinks[progress.id], progress)
            else:
                self._running.add(progress.id)

    def _dead(self, detail: str) -> None:
        sinks, self._sinks = self._sinks, {}
        self._running.clear()
        for job, sink in sinks.items():
            _tell(sink, Progress(job, finish="error", detail=detail))
        self._on_death()


def _tell(sink: Sink, progress: Progress) -> None:
    try:
        sink(progress)
    except Exception:  # the other jobs' news come after it
        _LOG.exception("news of job %d", progress.id)
