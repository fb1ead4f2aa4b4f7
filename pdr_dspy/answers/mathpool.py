"""math-verify in worker processes, with a time limit that holds.

A worker that does not answer in time is killed and replaced when the next answer comes; the answer it hung on counts
as wrong, with `grader timeout`. Workers start with the first answer that needs one and end with this process. The
waiting is done in a few threads, so a pool belongs to no event loop.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import queue
import selectors
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pdr_dspy.errors import DataError

LIMIT = 5.0
"""Seconds for one answer."""
START_LIMIT = 120.0
"""Seconds for a worker to import math-verify."""

_WORKER = Path(__file__).with_name("mathworker.py")


@dataclass(frozen=True)
class Reply:
    """Whether the answer equals the reference; `problem` says why that could not be decided ("" where it was)."""

    equal: bool
    problem: str = ""


class _Slow(Exception):
    """No line in time."""


class _Dead(Exception):
    """The process has ended."""


class MathWorker:
    """One worker process. Not safe for use from two threads at once."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    @property
    def pid(self) -> int | None:
        """The process's id, or None where none runs."""
        return self._process.pid if self._process is not None else None

    def ask(self, reference: str, answer: str, limit: float) -> Reply:
        """Compare two answers.

        Args:
            reference: The right answer.
            answer: The one to judge.
            limit: Seconds.

        Raises:
            DataError: math-verify can't be started at all.
        """
        for _ in range(2):  # an answer is not wrong because a process was killed: it gets a second one
            if self._process is None:
                self._start()
            try:
                self._send(json.dumps([reference, answer, limit]).encode() + b"\n")
                reply = json.loads(self._line(limit))
            except _Slow:
                self.kill()
                return Reply(False, "grader timeout")
            except (_Dead, OSError):
                self.kill()
                continue
            return Reply(bool(reply["equal"]), str(reply.get("problem", "")))
        return Reply(False, "grader died")

    def kill(self) -> None:
        """End the process, if one runs."""
        process, self._process, self._rest = self._process, None, b""
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()

    def _start(self) -> None:
        # -P: the worker's folder holds modules of ours whose names must not shadow anyone's.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        mend = "Run `python -c 'import math_verify'` to see why."
        try:
            hello = json.loads(self._line(START_LIMIT))
        except (_Slow, _Dead) as error:
            self.kill()
            raise DataError("grader", "a math-verify worker did not start", mend) from error
        if "missing" in hello:
            self.kill()
            raise DataError("grader", f"math-verify can't be imported ({hello['missing']})", mend)

    def _send(self, data: bytes) -> None:
        assert self._process is not None and self._process.stdin is not None
        while data:
            data = data[self._process.stdin.write(data) or 0 :]

    def _line(self, limit: float) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        end = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise _Slow
                chunk = os.read(self._process.stdout.fileno(), 65536)
                if not chunk:
                    raise _Dead
                self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line


class MathPool:
    """A few workers, started when they are needed.

    Args:
        workers: How many at most; default: one for two cores, at most four.
        limit: Seconds for one answer.
    """

    def __init__(self, workers: int | None = None, limit: float = LIMIT) -> None:
        self.size = workers or max(1, min(4, (os.cpu_count() or 2) // 2))
        self.limit = limit
        self._idle: queue.LifoQueue[MathWorker] = queue.LifoQueue()
        self._workers = [MathWorker() for _ in range(self.size)]
        for worker in self._workers:
            self._idle.put(worker)
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    async def verify(self, reference: str, answer: str) -> Reply:
        """Whether the answer equals the reference. Waits for a free worker; the limit counts from then.

        Raises:
            DataError: math-verify can't be started at all.
        """
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="pdr-dspy-grader")
                atexit.register(self.close)
            threads = self._threads
        return await asyncio.get_running_loop().run_in_executor(threads, self._ask, reference, answer)

    def close(self) -> None:
        """End all workers. A pool that is used again starts new ones."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            atexit.unregister(self.close)
            threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.kill()

    @property
    def pids(self) -> list[int]:
        """Ids of the worker processes that run."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    def _ask(self, reference: str, answer: str) -> Reply:
        worker = self._idle.get()
        try:
            return worker.ask(reference, answer, self.limit)
        finally:
            self._idle.put(worker)


@cache
def shared_pool() -> MathPool:
    """The process's pool."""
    return MathPool()
