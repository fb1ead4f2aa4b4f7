"""How a command ends that is told to end: by Ctrl-C, SIGTERM, a closed terminal (SIGHUP) or Ctrl-\\ (SIGQUIT).

The first signal asks it to end and to keep what is done. A second Ctrl-C, and Ctrl-\\ at once, do not wait for what is
in flight; SIGTERM and SIGHUP again change nothing (a terminal that closes and the shell in it both send one). Whatever
hangs by then, a database or a tracking server that does not answer, the process of a command is gone within a bound:
what is on disk is whole at every instant, and the servers it has started end with it. A program that calls the search
(a notebook) goes on: its process is its own. Light to import.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

INTERRUPTED = 130
"""Exit code of a command that was told to end, as shells have it after Ctrl-C."""

PATIENCE = 60.0
"""Seconds from the first signal until the process is gone, whatever hangs."""

AT_ONCE = 5.0
"""Seconds from a signal that does not wait until the process is gone."""

_KNOWN = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
_URGENT = ("SIGINT", "SIGQUIT")


@dataclass
class _State:
    """What was asked of this process so far, by signals."""

    ends_process: bool
    asked: bool = False
    listeners: list[Callable[[], None]] = field(default_factory=list)  # who is told of the first one; the last counts
    over: threading.Event = field(default_factory=threading.Event)


_state = _State(ends_process=False)


@contextmanager
def told_to_end(first: Callable[[], None] | None = None, *, ends_process: bool = False) -> Iterator[None]:
    """Within it a signal that ends a process ends it as is said above; one that is ignored (`nohup`) stays ignored.

    Args:
        first: What the first signal does, quickly and in the main thread; the block ends soon after. None: it raises
            KeyboardInterrupt. Of several blocks in one another the inner one's counts.
        ends_process: Whether the process ends after the (outermost) block, and so may be ended where something hangs.

    Raises:
        KeyboardInterrupt: the first signal, without `first`; one that does not wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    global _state
    outermost = not _state.listeners
    if outermost:
        _state = _State(ends_process)
    _state.listeners.append(first or _interrupt)
    numbers = [getattr(signal, name) for name in _KNOWN if hasattr(signal, name)]
    hangup = getattr(signal, "SIGHUP", None)
    kept = [n for n in numbers if not (n == hangup and signal.getsignal(n) == signal.SIG_IGN)]
    before = {number: signal.signal(number, _on_signal) for number in kept}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _state.listeners.pop()
        if outermost:
            _state.over.set()


def _interrupt() -> None:
    raise KeyboardInterrupt


def _on_signal(number: int, frame: FrameType | None) -> None:
    urgent = signal.Signals(number).name in _URGENT
    again, _state.asked = _state.asked, True
    if urgent and (again or signal.Signals(number).name == "SIGQUIT"):
        _end_within(AT_ONCE)
        raise KeyboardInterrupt
    if not again:
        _end_within(PATIENCE)
        _state.listeners[-1]()


def _end_within(seconds: float) -> None:
    """See to it that the process of a command is gone by then."""
    if not _state.ends_process:
        return
    over = _state.over

    def watch() -> None:
        deadline = time.monotonic() + seconds
        if over.wait(seconds):
            # The interpreter waits for threads before it ends, and one of them may hang.
            threading.main_thread().join()
            time.sleep(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(OSError):  # not through a stream, whose lock who hangs may have
            os.write(2, b"\nnot everything could be closed; what is done is kept, and the same command goes on\n")
        os._exit(INTERRUPTED)

    threading.Thread(target=watch, name="ending", daemon=True).start()


def stopping(then: Callable[[], None]) -> Callable[[], None]:
    """A `first` that says so, and does this."""

    def first() -> None:
        with contextlib.suppress(OSError, RuntimeError):  # a stream that is gone, or is being written to right now
            print("stopping; what is done is kept (Ctrl-C again to stop at once)", file=sys.stderr, flush=True)
        then()

    return first
