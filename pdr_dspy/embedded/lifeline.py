"""A server that ends when its parent does, also when the parent was killed and could not say so."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.5


def end_with(parent: int, *, signal_too: bool) -> None:
    """End this process soon after process `parent` has ended.

    Args:
        parent: Process id to watch (usually, not necessarily, this process's own parent).
        signal_too: Ask Linux for a SIGKILL besides. Only right if the thread that started this process lives as long
            as its process: the kernel sends the signal when that *thread* ends.
    """
    if signal_too and sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    direct = os.getppid() == parent

    def watch() -> None:
        while os.getppid() == parent if direct else _exists(parent):
            time.sleep(_POLL_SECONDS)
        # Nothing here is worth an orderly end: the only client is gone, and the engine process ends with its pipe.
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
