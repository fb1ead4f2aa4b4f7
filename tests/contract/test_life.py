"""vLLM as this library starts it: from the command line, and gone when it should be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pdr_dspy.embedded.vllm_server import free_port

pytestmark = pytest.mark.vllm
HOST = "127.0.0.1"


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process to outlive or not."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def serve(python: Path, log: Path, port: int, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pdr_dspy.embedded", "--engine", "vllm", "--vllm-python", str(python)]
    with log.open("wb") as output:
        return subprocess.Popen(
            [*command, "--port", str(port), *options], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it ended by itself in time; it is gone afterwards."""
    try:
        process.wait(timeout=seconds)
        return True
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False


def test_it_serves_takes_vllms_flags_and_ends_with_its_parent(
    vllm_python: Path, tmp_path: Path, parent: subprocess.Popen[bytes]
) -> None:
    port, log = free_port(HOST, 0), tmp_path / "log"
    server = serve(
        vllm_python, log, port, "--parent", str(parent.pid), "--max-model-len", "512", "--", "--max-num-seqs=4"
    )
    try:
        deadline = time.monotonic() + 300
        while not healthy(port):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.2)
        (card,) = httpx.get(f"http://{HOST}:{port}/v1/models", trust_env=False).json()["data"]
        assert (card["id"], card["max_model_len"]) == ("pdr-reasoner", 512)
        assert "'max_num_seqs': 4" in log.read_text()
        parent.kill()
        parent.wait()
    finally:
        gone = ended(server, 20 if parent.poll() is not None else 0)
    assert gone
    assert not healthy(port)


def test_ctrl_c_ends_it_also_while_it_loads(vllm_python: Path, tmp_path: Path) -> None:
    port, log = free_port(HOST, 0), tmp_path / "log"
    server = serve(vllm_python, log, port)
    while "once it has started" not in log.read_text():
        assert server.poll() is None
        time.sleep(0.05)
    time.sleep(2)
    os.killpg(server.pid, signal.SIGINT)
    assert ended(server, 20)


def healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/health", trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
