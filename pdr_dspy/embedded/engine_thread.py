"""The engine in a thread of this process, for a pipeline that lets other threads run while it computes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue

from .engine import Engine
from .jobs import Command, Progress
from .scheduler import Pipeline, Scheduler
from .worker import work


class EngineThread(Engine):
    """A scheduler over a pipeline, stepped by a thread.

    Args:
        pipeline: What generates.
        max_num_seqs: Jobs that run at once; the others wait in order of arrival.
        kv_blocks: Size of the pipeline's cache, as the scheduler takes it.
        on_death: Called on the event loop if the pipeline raises.

    Attributes:
        failure: What the pipeline raised, or None.
    """

    def __init__(self, pipeline: Pipeline, max_num_seqs: int, kv_blocks: int, on_death: Callable[[], None]) -> None:
        super().__init__(on_death)
        self._pipeline = pipeline
        self._scheduler = Scheduler(pipeline, max_num_seqs, kv_blocks)
        self._inbox = _Inbox(self._dispatch)
        self._thread = threading.Thread(target=self._run, name="pdr-engine", daemon=True)
        self._closing = False
        self.failure: Exception | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def logprobs(self) -> bool:
        """As the pipeline."""
        return self._pipeline.logprobs

    @property
    def version(self) -> str:
        """The pipeline's name."""
        return type(self._pipeline).__name__

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread; its news go to the sinks, on this loop."""
        self._inbox.loop = loop
        self._thread.start()

    def close(self) -> None:
        """End the thread after the step it is in, drop what still runs from the pipeline, and wait."""
        self._closing = True
        self._inbox.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._scheduler.abandon()

    def _send(self, command: Command) -> None:
        if self._closing or self.failure is not None:
            raise ConnectionError("the engine is closed")
        self._inbox.put(command)

    def _run(self) -> None:
        try:
            work(self._scheduler, self._inbox)
        except EOFError:
            return  # closed, or nobody left to hear the news
        except Exception as problem:
            self.failure = problem
            self._inbox.tell(self._dead, f"the engine ended: {type(problem).__name__}: {problem}")


class _Inbox:
    """The scheduler's end: commands come from a queue, news go to the event loop."""

    def __init__(self, take: Callable[[list[Progress]], None]) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._take = take
        self._commands: SimpleQueue[Command | None] = SimpleQueue()

    def put(self, command: Command) -> None:
        self._commands.put(command)

    def close(self) -> None:
        self._commands.put(None)

    def poll(self) -> bool:
        return not self._commands.empty()

    def recv(self) -> Command:
        command = self._commands.get()
        if command is None:
            raise EOFError
        return command

    def send(self, news: list[Progress]) -> None:
        self.tell(self._take, news)

    def tell(self, take: Callable[..., None], *what: object) -> None:
        assert self.loop is not None
        try:
            self.loop.call_soon_threadsafe(take, *what)
        except RuntimeError as problem:
            if not self.loop.is_closed():
                raise
            raise EOFError from problem
