"""The other end of `scorer`: a process that is started when it is needed, and killed when it takes too long."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pdr_dspy.data.gym.spec import GymSpec
from pdr_dspy.errors import DataError

LIMIT = 20.0
"""Seconds for one answer; the process itself ends after 5 of processor time."""
START_LIMIT = 300.0
"""Seconds to import reasoning-gym and to make the problems."""
INSTALL = "pip install 'pdr-dspy[gym]'"

_SCORER = Path(__file__).with_name("scorer.py")


@dataclass(frozen=True)
class Score:
    """What a verifier says: 1.0 is right. `failure` says why there is no score."""

    score: float
    detail: str = ""
    failure: str | None = None


class Verifier:
    """A task's generator and verifier. Safe for use from several threads, which wait for one another."""

    def __init__(self, spec: GymSpec) -> None:
        self.spec = spec
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._hello: dict[str, Any] = {}

    def problems(self) -> list[tuple[str, Any]]:
        """The task's questions with their reference answers.

        Raises:
            DataError: reasoning-gym is not installed, has no such task, or the task no such options.
        """
        with self._lock:
            self._start()
            return [(question, answer) for question, answer in self._hello["problems"]]

    def score(self, index: int, answer: str) -> Score:
        """Score an answer to the problem of this number (from 0).

        Raises:
            DataError: the process can't be started again.
        """
        with self._lock:
            self._start()
            reply = self._ask([index, answer], LIMIT)
        if reply is None:
            return Score(0.0, "the verifier took too long", "grader timeout")
        return Score(reply["score"], reply.get("detail", ""))

    def close(self) -> None:
        """End the process; the next answer starts another."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        if self._process is not None:
            return
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_SCORER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        weakref.finalize(self, self._process.kill)
        hello = self._ask(asdict(self.spec), START_LIMIT)
        name = self.spec.name
        if hello is not None and "problems" in hello:
            self._hello = hello
            return
        self._end()
        if hello is None:
            mend = "Ask for fewer problems (size=...), or easier ones."
            raise DataError("data", f"gym:{name} can't be made in {START_LIMIT:.0f} s", mend)
        if "missing" in hello:
            raise DataError("data", f"gym:{name} needs reasoning-gym ({hello['missing']})", f"Install it: `{INSTALL}`.")
        if "unknown" in hello:
            close = f"Did you mean {', '.join(hello['unknown'])}?" if hello["unknown"] else "See its list of tasks."
            raise DataError("data", f"reasoning-gym has no task {name!r} among its {hello['all']}", close)
        raise DataError("data", f"{self.spec} can't be made ({hello['wrong']})", "Leave the option out, or mend it.")

    def _ask(self, request: Any, limit: float) -> dict[str, Any] | None:
        """Send a line, read one; None where there is none in time."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        timer = threading.Timer(limit, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            self._end()
            return None
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()
