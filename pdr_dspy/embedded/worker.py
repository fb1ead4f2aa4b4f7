"""The engine process: reads commands from a pipe, steps the scheduler, writes the news back.

A process of its own because the pipeline's `step()` holds the GIL from beginning to end: beside it no HTTP request
would be read. It ends when its pipe does, that is, when the server process is gone, however that happened.
"""

from __future__ import annotations

import signal
import time
from multiprocessing.connection import Connection

from .jobs import EngineOptions, Ready
from .scheduler import Scheduler


def run_engine(connection: Connection, options: EngineOptions) -> None:
    """Serve one pipe until it closes. The target of the engine process."""
    # A Ctrl-C reaches the whole process group: the server decides when the engine ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    started = time.monotonic()
    from .pipeline import OpenVinoPipeline  # here, so that the server process never loads it

    scheduler = Scheduler(OpenVinoPipeline(options), options.max_num_seqs, options.kv_blocks)
    try:
        connection.send(Ready(time.monotonic() - started))
        while True:
            while scheduler.idle or connection.poll():
                scheduler.accept(connection.recv())
            news = scheduler.step()
            if news:
                connection.send(news)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
