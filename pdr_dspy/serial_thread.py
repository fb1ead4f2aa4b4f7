"""One thread that does one piece of work after another.

Unlike an executor's it is a daemon: what hangs in it, such as a server that does not answer, does not keep the
interpreter from its end. So whoever has one shuts it down.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class SerialThread:
    """A thread, begun at once.

    Args:
        name: The thread's.
    """

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have this done after what was submitted before."""
        future: Future[T] = Future()
        self._work.put((future, work))
        return future

    def shutdown(self, *, cancel: bool = False) -> None:
        """Wait until all is done; nothing is begun after this.

        Args:
            cancel: Leave out what was not begun.
        """
        if cancel:
            with contextlib.suppress(queue.Empty):
                while (waiting := self._work.get_nowait()) is not None:
                    waiting[0].cancel()
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (next_ := self._work.get()) is not None:
            future, work = next_
            if not future.set_running_or_notify_cancel():
                continue
            try:
                found = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(found)
            del future, work, next_  # nobody waits for the next one with the last one's result in hand
