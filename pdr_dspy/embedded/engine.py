"""The engine as the server sees it: submit a job, get its progress called back on the event loop, cancel it.

Owns the engine process and its pipe. Knows nothing of text or HTTP.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from ..errors import EndpointError
from .jobs import Cancel, Command, EngineOptions, Job, Progress, Ready
from .worker import run_engine

Sink = Callable[[Progress], None]


class Engine:
    """The engine process.

    Args:
        options: What to load and how.
        on_death: Called on the event loop if the engine process ends by itself.
    """

    def __init__(self, options: EngineOptions, on_death: Callable[[], None]) -> None:
        self._options = options
        self._on_death = on_death
        self._sinks: dict[int, Sink] = {}
        self._running: set[int] = set()
        self._connection: Connection | None = None
        self._closing = False
        # spawn: the child must not inherit the server's threads or sockets
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._reader: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the engine process runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def in_flight(self) -> int:
        """Jobs submitted and not ended, waiting ones included."""
        return len(self._sinks)

    @property
    def running(self) -> int:
        """Jobs being generated; the others in flight wait for a slot or for room in the cache."""
        return len(self._running)

    def load(self) -> Ready:
        """Start the process and wait until its model is loaded (blocks; seconds).

        Raises:
            EndpointError: The engine process ended instead; its own message is on stderr.
        """
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=run_engine, args=(theirs, self._options), name="pdr-engine", daemon=True
        )
        self._process.start()
        theirs.close()
        self._connection = ours
        try:
            ready = ours.recv()
        except (EOFError, ConnectionResetError) as gone:
            self.close()
            raise EndpointError(
                "weights", f"the engine could not load {self._options.weights}", "See the error above in the log"
            ) from gone
        assert isinstance(ready, Ready)
        return ready

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start passing the engine's news to the sinks, on this loop."""
        self._reader = threading.Thread(target=self._read, args=(loop,), name="pdr-engine-news", daemon=True)
        self._reader.start()

    def submit(self, job: Job, sink: Sink) -> None:
        """Queue a job; `sink` gets its progress, the last one with a `finish`."""
        self._sinks[job.id] = sink
        self._send(job)

    def cancel(self, job: int) -> None:
        """Drop a job; its sink still gets the last progress (`abort`, or the end that crossed this message)."""
        if job in self._sinks:
            self._send(Cancel(job))

    def close(self) -> None:
        """End the engine process and wait for it."""
        self._closing = True
        if self._process is not None:
            self._process.terminate()
            self._process.join(timeout=5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        # Only now: the reading thread has met the pipe's end, so nobody holds the handle any more.
        if self._reader is not None:
            self._reader.join(timeout=5)
        if self._connection is not None:
            self._connection.close()

    def _send(self, command: Command) -> None:
        if self._connection is None or self._closing:
            raise ConnectionError("the engine is closed")
        self._connection.send(command)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self._connection is not None
        try:
            while True:
                loop.call_soon_threadsafe(self._dispatch, self._connection.recv())
        except (EOFError, OSError):
            if not self._closing:
                loop.call_soon_threadsafe(self._dead)
        except RuntimeError:
            return  # the loop is closed: the server is going down

    def _dispatch(self, news: list[Progress]) -> None:
        for progress in news:
            if progress.finish is not None:
                self._running.discard(progress.id)
                self._sinks.pop(progress.id)(progress)
            elif progress.tokens:
                self._sinks[progress.id](progress)
            else:
                self._running.add(progress.id)

    def _dead(self) -> None:
        sinks, self._sinks = self._sinks, {}
        self._running.clear()
        for job, sink in sinks.items():
            sink(Progress(job, finish="error", detail="the engine process ended"))
        self._on_death()
