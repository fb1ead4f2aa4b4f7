"""Graders of other packages, each in a process with a time limit for every pair."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.grading.pairs import Pair

JUDGE = Path(__file__).parent / "judge.py"
START_LIMIT = 120.0  # seconds; trl and verl import torch
LIMIT = 5.0  # seconds a pair


class Missing(Exception):
    """The grader can't be imported in any of the environments; says why."""


class Process:
    """`judge.py` with one grader, in one interpreter.

    Args:
        name: Of `judge.KNOWN`, or `module:function`.
        python: The interpreter.

    Raises:
        Missing: the grader can't be imported there.
    """

    def __init__(self, name: str, python: str) -> None:
        self.name, self.python = name, python
        self._start()

    def ask(self, pair: Pair, limit: float = LIMIT) -> bool | None:
        """The grader's word; None where it has none within the limit (seconds), or ended."""
        if self._process.poll() is not None:
            self._start()
        try:
            self._input.write(json.dumps([pair.reference, pair.answer]).encode() + b"\n")
            self._input.flush()
            reply = self._lines.get(timeout=limit)
        except (OSError, queue.Empty):
            reply = None
        if reply is None:
            self.close()
            return None
        right = json.loads(reply)["right"]
        return None if right is None else bool(right)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _start(self) -> None:
        # -P: the folder's own modules must not shadow others of the same name.
        command = [self.python, "-P", str(JUDGE), self.name]
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null)
        assert self._process.stdin is not None
        self._input = self._process.stdin
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._reader = threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True)
        self._reader.start()
        try:
            hello = self._lines.get(timeout=START_LIMIT)
        except queue.Empty:
            hello = None
        if hello is None or "missing" in (said := json.loads(hello)):
            self.close()
            raise Missing("it did not start" if hello is None else str(said["missing"]))


def _read(lines: Any, into: queue.Queue[bytes | None]) -> None:
    for line in lines:
        into.put(line)
    into.put(None)


@contextmanager
def running(name: str, pythons: Sequence[str] = (sys.executable,)) -> Iterator[Process]:
    """The grader's process, in the first of these environments that has it.

    Raises:
        Missing: none has it; the first one's reason.
    """
    reasons = []
    for python in pythons:
        try:
            process = Process(name, python)
        except Missing as missing:
            reasons.append(missing)
            continue
        try:
            yield process
        finally:
            process.close()
        return
    raise reasons[0]


def words(name: str, pairs: Sequence[Pair], pythons: Sequence[str] = (sys.executable,)) -> list[bool | None]:
    """What a grader says of every pair.

    Raises:
        Missing: it is installed nowhere.
    """
    with running(name, pythons) as process:
        return [process.ask(pair) for pair in pairs]
