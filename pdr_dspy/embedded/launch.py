"""Start the embedded reasoner beside a program, and see to it that it never outlives the program.

    with start() as server:
        ...  # server.base_url is an OpenAI-compatible endpoint, server.model the model's name

The server runs in its own session: a Ctrl-C in the terminal reaches this program alone, which ends the server when it
is done with it. Should this program be killed, the server notices and ends itself.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from types import TracebackType

from ..errors import EndpointError

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.02
_LOG_LINES = 20
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]


class EmbeddedReasoner:
    """A running server. Made by `start`; a context manager that ends it.

    Attributes:
        base_url: The OpenAI-compatible endpoint, `http://127.0.0.1:PORT/v1`.
        model: Name the model is served under.
        pid: Process id of the server.
        log_path: What the server printed.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, model: str, log_path: Path, keep_log: bool) -> None:
        self.base_url = f"http://{_HOST}:{port}/v1"
        self.model = model
        self.pid = process.pid
        self.log_path = log_path
        self._process = process
        # Also at this program's normal end, if nobody closed it.
        self._finalizer = weakref.finalize(self, _end, process, None if keep_log else log_path)

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the server and wait for it. May be called twice."""
        self._finalizer()

    def __enter__(self) -> EmbeddedReasoner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start(
    *,
    weights: Path | None = None,
    threads: int | None = None,
    port: int = 0,
    log_path: Path | None = None,
    max_num_seqs: int | None = None,
    timeout: float = 60.0,
) -> EmbeddedReasoner:
    """Start the server in a process of its own and wait until it answers.

    Args:
        weights: The model's directory; None is the reasoner that comes with the library.
        threads: Inference threads; None is half the usable cores, 1 to 4.
        port: Port on the loopback interface; 0 is any free one.
        log_path: Where the server's output goes; None is a temporary file that goes with the server.
        max_num_seqs: Choices generated at once; None is the server's default.
        timeout: Seconds to wait for it to answer.

    Raises:
        EndpointError: It ended instead, or did not answer in time; the message shows the end of its log.
    """
    with tempfile.TemporaryDirectory(prefix="pdr-embedded-") as folder:
        ready_file = Path(folder) / "ready.json"
        keep_log = log_path is not None
        if log_path is None:
            handle, name = tempfile.mkstemp(prefix="pdr-embedded-", suffix=".log")
            os.close(handle)
            log_path = Path(name)
        command = [sys.executable, "-m", "pdr_dspy.embedded", "--host", _HOST, "--port", str(port)]
        command += ["--parent", str(os.getpid()), "--ready-file", str(ready_file)]
        if threading.current_thread() is threading.main_thread():
            command.append("--parent-signal")
        for option, value in (("--weights", weights), ("--threads", threads), ("--max-num-seqs", max_num_seqs)):
            if value is not None:
                command += [option, str(value)]
        with log_path.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": _python_path()},
                start_new_session=True,
            )
        try:
            port, model = _wait(process, ready_file, log_path, time.monotonic() + timeout)
        except BaseException:
            _end(process, None if keep_log else log_path)
            raise
    return EmbeddedReasoner(process, port, model, log_path, keep_log)


def _wait(process: subprocess.Popen[bytes], ready_file: Path, log_path: Path, deadline: float) -> tuple[int, str]:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise EndpointError(
                "embedded", f"the server ended with status {process.returncode}", f"Its log ends:\n{_tail(log_path)}"
            )
        if ready_file.exists():
            ready = json.loads(ready_file.read_text(encoding="utf-8"))
            if _healthy(ready["port"]):
                return int(ready["port"]), str(ready["model"])
        time.sleep(_POLL_SECONDS)
    raise EndpointError("embedded", "the server did not answer in time", f"Its log ends:\n{_tail(log_path)}")


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(_HOST, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes], log_path: Path | None) -> None:
    """End the server, and remove its log where it is a temporary one."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            # Before it is waited for, its process group can't have become anybody else's.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if log_path is not None:
        log_path.unlink(missing_ok=True)


def _tail(log_path: Path) -> str:
    return "\n".join(log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])


def _python_path() -> str:
    # The server must find this very package, wherever the program was started.
    inherited = os.environ.get("PYTHONPATH")
    return str(_PACKAGE_ROOT) + (os.pathsep + inherited if inherited else "")
