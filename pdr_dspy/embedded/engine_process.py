"""The engine in a process of its own, on OpenVINO."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
from collections.abc import Callable
from importlib import metadata
from multiprocessing.connection import Connection

from ..errors import EndpointError
from .engine import Engine
from .jobs import Command, EngineOptions, Ready
from .worker import run_engine


class EngineProcess(Engine):
    """The engine process and its pipe.

    Args:
        options: What to load and how.
        on_death: Called on the event loop if the engine process ends by itself.
    """

    def __init__(self, options: EngineOptions, on_death: Callable[[], None]) -> None:
        super().__init__(on_death)
        self._options = options
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
    def logprobs(self) -> bool:
        """False: see `OpenVinoPipeline`."""
        return False

    @property
    def version(self) -> str:
        """OpenVINO GenAI's version."""
        return metadata.version("openvino-genai")

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
                loop.call_soon_threadsafe(self._dead, "the engine process ended")
        except RuntimeError:
            return  # the loop is closed: the server is going down
