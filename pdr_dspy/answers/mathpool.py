"""math-verify in worker processes: what it may cost is bounded, and a limit is told apart from a wrong answer.

A question that is too large is refused before anything is computed; else it may take some seconds of the worker's own
CPU time. Neither depends on how busy the machine is. Replies are kept, undecided ones too, so that the same question
has the same reply for as long as this process lives: a reply that came close to the limit is not tried again until it
turns out the other way. Only what another run may say differently (a crash, a machine that stood still) is not kept.

Workers start with the first question that needs one and end with this process. The waiting is done in a thread for
each, so a pool belongs to no event loop and to no thread.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import queue
import threading
import weakref
from collections import OrderedDict
from concurrent.futures import Future
from functools import cache

from pdr_dspy.answers.mathbounds import refusal
from pdr_dspy.answers.mathprocess import WORKER, MathWorker, Reply

__all__ = ["LIMIT", "MathPool", "Reply", "shared_pool"]

LIMIT = 5.0
"""Seconds of a worker's CPU time for one answer."""
KEPT = 20_000
"""Replies that are kept."""

_WORKER = WORKER

Question = tuple[str, str, bool, int, bool]
"""Reference, answer, and the options, in `verify`'s order."""
_Asked = tuple[Question, "Future[Reply]"]


class MathPool:
    """A few workers, started when they are needed.

    Args:
        workers: How many at most; default: one for each core that this process may use, at most four.
        limit: Seconds of a worker's CPU time for one answer. The last line is twenty times as many on the wall.
    """

    def __init__(self, workers: int | None = None, limit: float = LIMIT) -> None:
        self.size = workers or max(1, min(4, _cores()))
        self.limit = limit
        self._lock = threading.Lock()
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._workers: list[MathWorker] = []
        self._threads: list[threading.Thread] = []
        self._waiting = 0
        self._kept: OrderedDict[Question, Reply] = OrderedDict()
        _POOLS.add(self)

    async def verify(
        self, reference: str, answer: str, *, whole: bool = False, digits: int = 6, sets: bool = True
    ) -> Reply:
        """Whether the answer equals the reference. Waits for a free worker; the limit counts from then.

        One box around all of a text is taken off, and what is in it is read as a whole. An ordered tuple is not a set
        (`(1,2)` is neither `(2,1)` nor `\\{1,2\\}`); a list without brackets (`1, 2`) is in no order. `x=3` is 3 where
        the other side names no variable. The case of letters counts where a text has a letter in both.

        Args:
            reference: The right answer, as the reader left it.
            answer: The one to judge.
            whole: Read all of a text or nothing. Else a text that is not one box is taken for a sentence, and
                math-verify looks for the expression in it.
            digits: Significant digits from which on a decimal may stand for the value that it rounds (0.333333 for
                1/3, not 0.333); 0: never, decimals are the fractions they are.
            sets: A set may be given by an inequality (`x>5` for `(5,\\infty)`), in both directions.

        Raises:
            DataError: math-verify can't be started at all.
            MissingExtra: it is not installed.
        """
        for text in (reference, answer):
            if problem := refusal(text):
                return Reply(False, problem)
        question = (reference, answer, whole, digits, sets)
        with self._lock:
            if (kept := self._kept.get(question)) is not None:
                self._kept.move_to_end(question)
                return kept
            future: Future[Reply] = Future()
            self._staff()
            self._asked.put((question, future))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End all workers. What is being answered is undecided (`closed`). Used again, the pool starts new ones."""
        with self._lock:
            threads, self._threads = self._threads, []
            workers, self._workers = self._workers, []
            asked, self._asked = self._asked, queue.SimpleQueue()
            self._waiting = 0
        for worker in workers:
            worker.stop()
        for _ in threads:
            asked.put(None)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

    @property
    def pids(self) -> list[int]:
        """Ids of the worker processes that run."""
        return [pid for worker in self._workers if (pid := worker.pid) is not None]

    def _staff(self) -> None:
        """One more worker, where all are busy and there may be more."""
        self._waiting += 1
        if len(self._workers) < min(self.size, self._waiting):
            worker = MathWorker(_WORKER)
            # A daemon: the interpreter does not wait for a question at its end (see `_close_all`).
            thread = threading.Thread(
                target=self._serve, args=(worker, self._asked), name="pdr-dspy-grader", daemon=True
            )
            self._workers.append(worker)
            self._threads.append(thread)
            thread.start()

    def _serve(self, worker: MathWorker, asked: queue.SimpleQueue[_Asked | None]) -> None:
        while (next_ := asked.get()) is not None:
            question, future = next_
            if future.set_running_or_notify_cancel():  # whoever asked may be gone
                self._answer(worker, question, future)
            with self._lock:
                if asked is self._asked:
                    self._waiting -= 1
        worker.kill()

    def _answer(self, worker: MathWorker, question: Question, future: Future[Reply]) -> None:
        try:
            with self._lock:
                reply = self._kept.get(question)  # another one may have asked the same meanwhile
            if reply is None:
                names = ("reference", "answer", "whole", "digits", "sets")
                reply = worker.ask(dict(zip(names, question, strict=True)), self.limit)
                self._keep(question, reply)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(reply)

    def _keep(self, question: Question, reply: Reply) -> None:
        if reply.passing:
            return
        with self._lock:
            self._kept[question] = reply
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _after_fork(self) -> None:
        """In a child: threads and workers are the parent's."""
        self._lock = threading.Lock()
        for worker in self._workers:
            worker.forget()
        self._workers, self._threads, self._waiting = [], [], 0
        self._asked = queue.SimpleQueue()


_POOLS: weakref.WeakSet[MathPool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_POOLS):
        pool._after_fork()


def _close_all() -> None:
    for pool in list(_POOLS):
        pool.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def shared_pool() -> MathPool:
    """The process's pool."""
    return MathPool()
