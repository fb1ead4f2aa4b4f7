"""No server outlives its program: orderly end, killed parent, failed start, dead engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pdr_dspy.embedded import EmbeddedReasoner, start
from pdr_dspy.errors import EndpointError

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc"),
]


def family(pid: int) -> set[int]:
    """A process and all below it."""
    pids = {pid}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids |= family(int(child))
    return pids


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def all_ended(pids: set[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(running(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_closing_ends_every_process(weights: Path, tmp_path: Path) -> None:
    started: list[EmbeddedReasoner] = []
    # From a thread that ends: the server must live on, though its starting thread does not.
    thread = threading.Thread(target=lambda: started.append(start(weights=weights, log_path=tmp_path / "log")))
    thread.start()
    thread.join()
    (server,) = started
    time.sleep(0.7)
    with server:
        assert server.alive
        pids = family(server.pid)
        assert len(pids) > 1, "server and engine"
        assert os.getsid(server.pid) == server.pid, "a Ctrl-C in the terminal must not reach it"
    assert not server.alive and all_ended(pids, 2)
    server.close()


@pytest.mark.parametrize("thread", ["main", "other"])
def test_killed_parent_takes_the_server_along(weights: Path, tmp_path: Path, thread: str) -> None:
    program = (
        "import sys, threading, time; from pathlib import Path; from pdr_dspy.embedded import start\n"
        "servers = []; weights, log = map(Path, sys.argv[1:3])\n"
        "def run(): servers.append(start(weights=weights, log_path=log)); print(servers[0].pid, flush=True)\n"
        "run() if sys.argv[3] == 'main' else threading.Thread(target=run).start()\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(weights), str(tmp_path / "log"), thread]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = family(int(parent.stdout.readline()))
    assert len(pids) > 1 and all(running(pid) for pid in pids)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert all_ended(pids, 5)


def test_dead_engine_ends_the_server(weights: Path, tmp_path: Path) -> None:
    with start(weights=weights, log_path=tmp_path / "log") as server:
        engines = [pid for pid in family(server.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        for pid in engines:
            os.kill(pid, signal.SIGKILL)
        assert all_ended({server.pid}, 5)
        assert "the engine process ended by itself" in server.log_path.read_text()


def test_failed_start_shows_the_log(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match=r"has no openvino_model\.xml") as failed:
        start(weights=tmp_path, log_path=tmp_path / "log")
    assert failed.value.field == "embedded"


def test_start_that_takes_too_long_leaves_nothing(weights: Path, tmp_path: Path) -> None:
    before = family(os.getpid())
    with pytest.raises(EndpointError, match="in time"):
        start(weights=weights, log_path=tmp_path / "log", timeout=0.3)
    assert family(os.getpid()) <= before
