"""One event loop in one thread, for everyone who is not already in it.

LiteLLM's clients belong to the loop that made them: a loop for each synchronous call leaks their sockets. So every
request of this library runs on this loop, whether its caller is synchronous, in a thread, or in a loop of their own.
Context variables (DSPy's settings, call tags, ledgers) travel with the call; cancelling the caller cancels the call.
A forked child gets a loop of its own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pdr_dspy import forking

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def _in_child() -> None:
    global _lock, _loop
    forking.keep(_loop)  # its thread is the parent's
    _lock, _loop = threading.Lock(), None


forking.in_child(_in_child)


def loop() -> asyncio.AbstractEventLoop:
    """The library's loop, started on first use."""
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="pdr-dspy-loop", daemon=True).start()
        return _loop


def submit(work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Start `work` on the loop, with a copy of the caller's context variables."""
    target = loop()
    context = contextvars.copy_context()
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def start() -> None:
        task = target.create_task(work, context=context)
        future.add_done_callback(lambda f: target.call_soon_threadsafe(task.cancel) if f.cancelled() else None)
        task.add_done_callback(lambda t: _settle(t, future))

    target.call_soon_threadsafe(start)
    return future


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the loop and wait for it.

    Raises:
        RuntimeError: called from the loop itself, which would wait for ever; `await` instead.
    """
    if is_here():
        work.close()
        raise RuntimeError("a synchronous call inside the library's event loop: use the async form (acall, await)")
    future = submit(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()  # Ctrl-C while waiting must not leave the work running
        raise


async def on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` on the loop, from whichever loop the caller is in."""
    if is_here():
        return await work
    return await asyncio.wrap_future(submit(work))


def in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Begin `work` in a thread of its own; a future of the running loop, which nobody need ask.

    Unlike `asyncio.to_thread`'s it is a daemon: what hangs in it, such as a database that does not answer, does not
    keep the interpreter from its end.
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()  # it can't be called off any more
    context = contextvars.copy_context()

    def run() -> None:
        try:
            found = context.run(work)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(found)

    threading.Thread(target=run, name="pdr-dspy-work", daemon=True).start()
    answer = asyncio.wrap_future(future)
    answer.add_done_callback(lambda done: None if done.cancelled() else done.exception())
    return answer


def is_here() -> bool:
    """Whether this is called on the library's loop, where nothing may be waited for but by `await`."""
    try:
        return asyncio.get_running_loop() is _loop
    except RuntimeError:
        return False


def _settle(task: asyncio.Task[T], future: concurrent.futures.Future[T]) -> None:
    if task.cancelled():
        future.cancel()
        return
    error = task.exception()
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())
