"""Calls code of the user's so that it can't hold up a run: in a daemon thread, coroutines on a loop of their own."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to: what it gave, or what it raised. A value, as an exception may be one that a future refuses
    (`StopIteration`) or a loop ends at (`SystemExit`)."""

    value: Any = None
    raised: BaseException | None = None


def started(code: Callable[..., Any], *given: Any) -> Future[Outcome]:
    """Call `code` in a thread that doesn't outlive the process; what it gives is awaited, where it can be.

    Returns:
        Its outcome. Cancelling it gives the call up: a coroutine is cancelled, a thread is left to itself.
    """
    done: Future[Outcome] = Future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            outcome = Outcome(context.run(_called, done, code, given))
        except BaseException as error:
            outcome = Outcome(raised=error)
        try:
            done.set_result(outcome)
        except InvalidStateError:  # given up meanwhile
            return

    # A pool's threads are joined when the interpreter ends, and a call that never returns would hold that up.
    threading.Thread(target=work, name="pdr-dspy-grader", daemon=True).start()
    return done


def told(error: BaseException) -> str:
    """An exception in words, with the line that raised it."""
    frames = extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    message = f": {text}" if (text := str(error)) else ""
    return f"{type(error).__name__}{message}{where}"


def _called(done: Future[Outcome], code: Callable[..., Any], given: tuple[Any, ...]) -> Any:
    said = code(*given)
    if not inspect.isawaitable(said):
        return said
    waiting = asyncio.run_coroutine_threadsafe(_awaited(said), _loop())
    done.add_done_callback(lambda each: waiting.cancel() if each.cancelled() else None)
    outcome = waiting.result()
    if outcome.raised is not None:
        raise outcome.raised
    return outcome.value


async def _awaited(said: Awaitable[Any]) -> Outcome:
    try:
        return Outcome(await said)
    except BaseException as error:
        return Outcome(raised=error)


class _Loop:
    """The one loop that the user's coroutines run on: clients they keep belong to a loop. It is not the library's, so
    that one which blocks its loop can't block the run."""

    lock = threading.Lock()
    thread: threading.Thread | None = None
    loop: asyncio.AbstractEventLoop


def _loop() -> asyncio.AbstractEventLoop:
    with _Loop.lock:
        if _Loop.thread is None or not _Loop.thread.is_alive():
            _Loop.loop = asyncio.new_event_loop()
            _Loop.thread = threading.Thread(target=_Loop.loop.run_forever, name="pdr-dspy-grader-loop", daemon=True)
            _Loop.thread.start()
        return _Loop.loop
