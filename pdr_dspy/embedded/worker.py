"""The engine's loop: reads commands, steps the scheduler, writes the news back; and the process that runs it.

A process of its own because OpenVINO's `step()` holds the GIL from beginning to end: beside it no HTTP request would
be read. It ends when its pipe does, that is, when the server process is gone, however that happened.
"""

from __future__ import annotations

import signal
import time
from multiprocessing.connection import Connection
from typing import Protocol

from .jobs import Command, EngineOptions, Progress, Ready
from .scheduler import Scheduler


class Channel(Protocol):
    """Where commands come from and news go to; a pipe's end is one."""

    def poll(self) -> bool:
        """Whether there is a command."""

    def recv(self) -> Command:
        """The next command, waited for. Raises `EOFError` once there will be none."""

    def send(self, news: list[Progress], /) -> None:
        """Pass news on."""


def work(scheduler: Scheduler, channel: Channel) -> None:
    """Step the scheduler as long as there is something to do; waits for commands otherwise. Ends by an exception."""
    while True:
        while scheduler.idle or channel.poll():
            scheduler.accept(channel.recv())
        news = scheduler.step()
        if news:
            channel.send(news)


def run_engine(connection: Connection, options: EngineOptions) -> None:
    """Serve one pipe until it closes. The target of the engine process."""
    # A Ctrl-C reaches the whole process group: the server decides when the engine ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    started = time.monotonic()
    from .pipeline import OpenVinoPipeline  # here, so that the server process never loads it

    scheduler = Scheduler(OpenVinoPipeline(options), options.max_num_seqs, options.kv_blocks)
    try:
        connection.send(Ready(time.monotonic() - started))
        work(scheduler, connection)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
