"""The engine's loop: reads commands, steps the scheduler, writes the news back; and the process that runs it.

A process of its own because OpenVINO's `step()` holds the GIL from beginning to end: beside it no HTTP request would
be read. It ends when its pipe does, that is, when the server process is gone, however that happened.
"""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Protocol

from .jobs import Command, EngineOptions, Progress, Ready
from .scheduler import Pipeline, Scheduler

_MOST_FAILURES = 3  # steps that raise one after the other, each on a fresh pipeline: then it is not a request's fault


class Channel(Protocol):
    """Where commands come from and news go to; a pipe's end is one."""

    def poll(self) -> bool:
        """Whether there is a command."""

    def recv(self) -> Command:
        """The next command, waited for. Raises `EOFError` once there will be none."""

    def send(self, news: list[Progress], /) -> None:
        """Pass news on."""


def work(scheduler: Scheduler, channel: Channel, renew: Callable[[], Pipeline] | None = None) -> None:
    """Step the scheduler as long as there is something to do; waits for commands otherwise. Ends by an exception.

    Args:
        scheduler: What is stepped.
        channel: Where commands come from and news go to.
        renew: Makes a fresh pipeline after a step that raised: what ran in it fails, the rest goes on. None, or too
            many such steps one after the other: the exception ends the loop.
    """
    failures = 0
    while True:
        while scheduler.idle or channel.poll():
            scheduler.accept(channel.recv())
        try:
            news = scheduler.step()
            failures = 0
        except Exception as problem:
            failures += 1
            if renew is None or failures > _MOST_FAILURES:
                raise
            traceback.print_exc()
            news = scheduler.restart(renew(), f"the engine failed: {type(problem).__name__}: {problem}")
        if news:
            channel.send(news)


def run_engine(connection: Connection, options: EngineOptions) -> None:
    """Serve one pipe until it closes. The target of the engine process."""
    # A Ctrl-C reaches the whole process group: the server decides when the engine ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    started = time.monotonic()
    from .pipeline import OpenVinoPipeline  # here, so that the server process never loads it

    def load() -> Pipeline:
        return OpenVinoPipeline(options)

    scheduler = Scheduler(load(), options.max_num_seqs, options.kv_blocks)
    try:
        connection.send(Ready(time.monotonic() - started))
        work(scheduler, connection, load)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
