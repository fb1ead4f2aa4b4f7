"""A process that has everything imported and forks the search's command, so that a life of it begins in milliseconds.

Reads one JSON request a line: `argv`, `cwd`, `log`, and when to kill the child with SIGKILL: after `seconds`, or when
`store` (a directory) holds `records` completions and `then` seconds more have passed. Answers one JSON line: the
child's `pid`, its exit `code` (None: killed), its `lifetime` in seconds. What the first child had to import is imported
here before the second one. Knows nothing of what is tested.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # noqa: F401
import matplotlib.pyplot  # noqa: F401
import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
import plotly.graph_objects  # noqa: F401
from mlflow import MlflowClient  # noqa: F401

from optimize import search
from optimize.engine import outcome, setup  # noqa: F401

MODULES = "modules.json"


def life(request: dict[str, Any]) -> int:
    """Run the command in this (forked) process."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(request["cwd"])
    sys.argv = ["search.py", *request["argv"]]
    before = set(sys.modules)
    try:
        code = search.main()
        Path(request["cwd"], MODULES).write_text(json.dumps(sorted(set(sys.modules) - before)))
        return code
    except BaseException:
        traceback.print_exc()
        return 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def records(store: str) -> int:
    """Whole lines in a directory of segments."""
    return sum(path.read_bytes().count(b"\n") for path in Path(store).glob("*.jsonl"))


def main() -> None:
    """Serve until stdin closes."""
    assert threading.active_count() == 1, threading.enumerate()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.monotonic()
        pid = os.fork()
        if not pid:
            os._exit(life(request))
        code = watched(pid, request, began)
        told = {"pid": pid, "code": code, "lifetime": time.monotonic() - began}
        learn(Path(request["cwd"], MODULES))
        print(json.dumps(told), file=answers, flush=True)


def learn(modules: Path) -> None:
    """Import what a child has imported."""
    if not modules.exists():
        return
    for name in json.loads(modules.read_text()):
        with contextlib.suppress(Exception):  # parts of packages that are no modules of their own
            importlib.import_module(name)
    modules.unlink()
    assert threading.active_count() == 1, threading.enumerate()


def watched(pid: int, request: dict[str, Any], began: float) -> int | None:
    """The child's exit code, or None where it was killed here."""
    reached: float | None = None
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        now = time.monotonic()
        if reached is None and "records" in request and records(request["store"]) >= request["records"]:
            reached = now
        due = "seconds" in request and now - began >= request["seconds"]
        if due or (reached is not None and now - reached >= request["then"]):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(0.005)


if __name__ == "__main__":
    main()
