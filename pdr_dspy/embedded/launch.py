"""Start the embedded reasoner beside a program, and see to it that it never outlives the program.

    with start() as server:
        ...  # server.base_url is an OpenAI-compatible endpoint, server.model the model's name

The server runs in its own session: a Ctrl-C in the terminal reaches this program alone, which ends the server when it
is done with it. Should this program be killed, the server notices and ends itself.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Literal

from ..extras import need
from .process import HOST, EmbeddedReasoner, Log, healthy, spawn, wait_for
from .server_key import KEY_VARIABLE

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]


def start(
    *,
    weights: Path | None = None,
    threads: int | None = None,
    port: int = 0,
    log_path: Path | None = None,
    max_num_seqs: int | None = None,
    reasoning_parser: Literal["think", "none"] | None = None,
    api_key: str | None = None,
    timeout: float = 60.0,
) -> EmbeddedReasoner:
    """Start the server in a process of its own and wait until it answers.

    Args:
        weights: The model's directory; None is the reasoner that comes with the library.
        threads: Inference threads; None is half the usable cores, 1 to 4.
        port: Port on the loopback interface; 0 is any free one.
        log_path: Where the server's output goes; None is a temporary file that goes with the server.
        max_num_seqs: Choices generated at once; None is the server's default.
        reasoning_parser: `none` leaves the thinking in the content; None is the server's default (`think`).
        api_key: The key it wants, "" for none; with `server_key.made_up()` no other user of the machine disturbs it.
            None: the one in PDR_EMBEDDED_API_KEY, if any.
        timeout: Seconds to wait for it to answer.

    Raises:
        EndpointError: It ended instead, or did not answer in time; the message shows the end of its log.
        MissingExtra: The extra embedded is not installed.
    """
    need("embedded", "the embedded reasoner")
    with tempfile.TemporaryDirectory(prefix="pdr-embedded-") as folder:
        ready_file = Path(folder) / "ready.json"
        log = Log.at(log_path)
        command = [sys.executable, "-m", "pdr_dspy.embedded", "--host", HOST, "--port", str(port)]
        command += ["--parent", str(os.getpid()), "--ready-file", str(ready_file)]
        if threading.current_thread() is threading.main_thread():
            command.append("--parent-signal")
        for option, value in (
            ("--weights", weights),
            ("--threads", threads),
            ("--max-num-seqs", max_num_seqs),
            ("--reasoning-parser", reasoning_parser),
        ):
            if value is not None:
                command += [option, str(value)]

        def ready() -> tuple[int, str] | None:
            if not ready_file.exists():
                return None
            said = json.loads(ready_file.read_text(encoding="utf-8"))
            return (int(said["port"]), str(said["model"])) if healthy(said["port"]) else None

        key = os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key
        # In its environment, which its owner alone can read.
        process = spawn(command, {**os.environ, "PYTHONPATH": _python_path(), KEY_VARIABLE: key}, log)
        port, model = wait_for(process, ready, log, seconds=timeout, field="embedded")
    return EmbeddedReasoner(process, port, model, log, key.strip())


def _python_path() -> str:
    # The server must find this very package, wherever the program was started.
    inherited = os.environ.get("PYTHONPATH")
    return str(_PACKAGE_ROOT) + (os.pathsep + inherited if inherited else "")
