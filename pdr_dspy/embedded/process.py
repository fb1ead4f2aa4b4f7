"""A server process that belongs to this program: started in a session of its own, waited for, ended with the program.

Knows nothing of what it serves.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from ..errors import EndpointError

HOST = "127.0.0.1"
_POLL_SECONDS = 0.02
_LOG_LINES = 20

Found = TypeVar("Found")


class EmbeddedReasoner:
    """A running server. Made by `start` or `start_vllm`; a context manager that ends it.

    Attributes:
        base_url: The OpenAI-compatible endpoint, `http://127.0.0.1:PORT/v1`.
        model: Name the model is served under.
        api_key: The key it wants (`Authorization: Bearer`), or "". Not to be shown.
        pid: Process id of the server.
        log_path: What the server printed.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, model: str, log: Log, api_key: str = "") -> None:
        self.base_url = f"http://{HOST}:{port}/v1"
        self.model = model
        self.api_key = api_key
        self.pid = process.pid
        self.log_path = log.path
        self._process = process
        # Also at this program's normal end, if nobody closed it.
        self._finalizer = weakref.finalize(self, end, process, log)

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._process.poll() is None

    @property
    def headers(self) -> dict[str, str]:
        """What a plain HTTP client sends along."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    def close(self) -> None:
        """End the server and wait for it. May be called twice."""
        self._finalizer()

    def __enter__(self) -> EmbeddedReasoner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Log:
    """Where a server's output goes.

    Attributes:
        path: The file.
        keep: Whether it stays when the server has ended.
    """

    path: Path
    keep: bool

    @classmethod
    def at(cls, path: Path | None) -> Log:
        """The log at `path`; None is a temporary file that goes with the server."""
        if path is not None:
            return cls(path, keep=True)
        handle, name = tempfile.mkstemp(prefix="pdr-embedded-", suffix=".log")
        os.close(handle)
        return cls(Path(name), keep=False)

    def tail(self) -> str:
        """Its last lines."""
        return "\n".join(self.path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])


def spawn(command: Sequence[str], environment: Mapping[str, str], log: Log) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own: a Ctrl-C in the terminal reaches this program alone."""
    with log.path.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def wait_for(
    process: subprocess.Popen[bytes], ready: Callable[[], Found | None], log: Log, *, seconds: float, field: str
) -> Found:
    """What `ready` says once it says anything; whatever goes wrong before that ends the process.

    Args:
        process: The server.
        ready: Asked again and again; None means not yet.
        log: Shown where it fails.
        seconds: Most to wait.
        field: What the error names.

    Raises:
        EndpointError: The process ended, or was not ready in time.
    """
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise EndpointError(
                    field, f"the server ended with status {process.returncode}", f"Its log ends:\n{log.tail()}"
                )
            if (found := ready()) is not None:
                return found
            time.sleep(_POLL_SECONDS)
        raise EndpointError(field, "the server did not answer in time", f"Its log ends:\n{log.tail()}")
    except BaseException:
        end(process, log)
        raise


def healthy(port: int) -> bool:
    """Whether the server at this port of the loopback interface says that it is well."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def end(process: subprocess.Popen[bytes], log: Log) -> None:
    """End the server, and remove its log where it is a temporary one."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            # Before it is waited for, its process group can't have become anybody else's.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if not log.keep:
        log.path.unlink(missing_ok=True)
