"""One worker process, seen from this side: started, asked, replaced when it ends."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdr_dspy.errors import DataError
from pdr_dspy.extras import need

START_LIMIT = 120.0
"""Seconds for a worker to import math-verify."""
PATIENCE = 20.0
"""Seconds on the wall for each second of CPU time that an answer may take: for a machine that is busy, or a worker that
is stopped."""

ENDING = 5.0
"""Seconds for a process that has closed its output to be gone."""

WORKER = Path(__file__).with_name("mathworker.py")


@dataclass(frozen=True, slots=True)
class Reply:
    """Whether the answer equals the reference.

    Attributes:
        equal: True or False; False where nothing was decided.
        problem: Why nothing was decided, "" where it was. `time limit`, `memory limit`, `too large`, `too long`,
            `too deep`, `too many parts`, `too many digits`: the same whenever the two are compared. `crash`, `no reply`
            (time on the wall), `closed`: of this run only. `math-verify: ...`: an error inside it.
    """

    equal: bool
    problem: str = ""

    @property
    def passing(self) -> bool:
        """Whether another run may say another thing."""
        return self.problem in ("crash", "no reply", "closed")


class _Slow(Exception):
    """No line in time."""


class _Dead(Exception):
    """The process has ended."""


class MathWorker:
    """One worker process. Asked by one thread at a time; `stop` may come from any.

    Args:
        script: What to run.
    """

    def __init__(self, script: Path) -> None:
        self._script = script
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._numbers = itertools.count(1)
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """The process's id, or None where none runs."""
        return self._process.pid if self._process is not None else None

    def ask(self, question: dict[str, Any], limit: float) -> Reply:
        """Have a question answered.

        Args:
            question: `mathcheck.compare`'s arguments.
            limit: Seconds of the worker's CPU time.

        Raises:
            DataError: math-verify can't be started at all.
            MissingExtra: it is not installed.
        """
        for _ in range(2):  # an answer is not wrong because a process was killed: it gets a second one
            if self._stopped:
                break
            if self._process is None:
                self._start()
            number = next(self._numbers)
            try:
                self._send(json.dumps([number, limit, question]).encode() + b"\n")
                reply = self._reply(number, limit * PATIENCE)
            except _Slow:
                self.kill()
                return Reply(False, "no reply")
            except ValueError:
                self.kill()
                continue
            except (_Dead, OSError):
                if self._ended() == -signal.SIGPROF:
                    return Reply(False, "time limit")
                continue
            if reply.get("last"):
                self.kill()
            return Reply(bool(reply.get("equal", False)), str(reply.get("problem", "")))
        return Reply(False, "closed" if self._stopped else "crash")

    def stop(self) -> None:
        """End the process and start no other. The thread that asks it is told `closed`."""
        self._stopped = True
        if (process := self._process) is not None:
            process.kill()

    def kill(self) -> None:
        """End the process, if one runs."""
        if (process := self._let_go()) is not None:
            process.kill()
            process.wait()

    def forget(self) -> None:
        """Let go of a process that is another process's child: this one was forked from it."""
        if (process := self._let_go()) is not None:
            process.returncode = 0  # none of ours to wait for

    def _let_go(self) -> subprocess.Popen[bytes] | None:
        process, self._process, self._rest = self._process, None, b""
        for pipe in (process.stdin, process.stdout) if process is not None else ():
            if pipe is not None:
                pipe.close()
        return process

    def _ended(self) -> int:
        """The exit code of a process that has ended or is about to; negative: the signal that ended it."""
        process = self._let_go()
        assert process is not None
        try:
            return process.wait(ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _start(self) -> None:
        need("math", "comparing expressions")
        # -P: the worker's folder holds modules of ours whose names must not shadow anyone's. One hash seed: sympy's
        # results may depend on the order of a set.
        mend = "Run `python -c 'import math_verify'` to see why."
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(self._script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={**os.environ, "PYTHONHASHSEED": "0"},
            )
            hello = json.loads(self._line(START_LIMIT))
        except (_Slow, _Dead, OSError, ValueError) as error:
            self.kill()
            raise DataError("grader", "a math-verify worker did not start", mend) from error
        if "missing" in hello:
            self.kill()
            raise DataError("grader", f"math-verify can't be imported ({hello['missing']})", mend)

    def _send(self, data: bytes) -> None:
        assert self._process is not None and self._process.stdin is not None
        while data:
            data = data[self._process.stdin.write(data) or 0 :]

    def _reply(self, number: int, limit: float) -> dict[str, Any]:
        reply = json.loads(self._line(limit))
        if not isinstance(reply, dict) or reply.get("number") != number:
            raise ValueError("a reply to another question")
        return reply

    def _line(self, limit: float) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        end = time.monotonic() + limit
        poll = select.poll()  # not `select`: a program with many connections has higher numbers than it takes
        poll.register(self._process.stdout, select.POLLIN)
        while b"\n" not in self._rest:
            if not poll.poll(1000 * max(0.0, end - time.monotonic())):
                raise _Slow
            chunk = os.read(self._process.stdout.fileno(), 65536)
            if not chunk:
                raise _Dead
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line
