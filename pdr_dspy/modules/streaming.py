"""`dspy.streamify` over a program that runs in the library's own event loop.

DSPy's stream (an anyio memory stream of 16 places) belongs to the event loop of whoever reads it: only that loop may
send into it, or a reader sleeps on, and a full one never wakes its sender. And DSPy sends status messages by blocking
the loop it is called in. So a run never sees DSPy's stream but a `Relay`: it takes whatever is sent, from any thread,
at once, and the stream's own loop passes it on in order. The run's result is handed over when all of it has been read.

Where the stream's loop can't be known (a thread of `dspy.Parallel`), the run goes on without streaming.

What the model writes is in the format of the workflow, which a `StreamListener` does not know. So listeners are not
given the model's text, but the fields that were read in it, in pieces, once the call has come (`tell`).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import dspy
from dspy.streaming.messages import StatusMessage, StatusMessageProvider, StatusStreamingCallback, StreamResponse

from pdr_dspy import bridge
from pdr_dspy.modules.progress import Progress, watching
from pdr_dspy.modules.relay import Relay, Statuses
from pdr_dspy.modules.signatures import shown
from pdr_dspy.pieces import pieces

T = TypeVar("T")


class StageMessages(StatusMessageProvider):
    """Status messages of a run's stages, and of nothing else but tools, for `dspy.streamify(status_message_provider=)`.

    Any other provider may have the method, too; one that has none gets the same messages, as DSPy's own say that a tool
    is called. Without a provider nothing is said.
    """

    def stage_status_message(self, progress: Progress) -> str | None:
        """The message of a step that begins or has come further; None: nothing is said."""
        return str(progress)


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `bridge.run`, streaming where DSPy streams."""
    stream = dspy.settings.send_stream
    if stream is None or isinstance(stream, Relay | Statuses):
        return bridge.run(work)
    if (owner := _owner()) is None:
        with dspy.context(send_stream=None):
            return bridge.run(work)
    relay = Relay(stream, owner)
    future = _begun(work, relay)
    try:
        return future.result()
    except concurrent.futures.CancelledError:
        raise asyncio.CancelledError("nobody reads the stream any more") from None
    finally:
        future.cancel()
        relay.close()
        if _running() is not owner:  # there, it is only passed on once this has returned
            concurrent.futures.wait([relay.passing])


async def on_loop(work: Coroutine[Any, Any, T]) -> T:
    """As `bridge.on_loop`, streaming where DSPy streams."""
    stream = dspy.settings.send_stream
    if stream is None or isinstance(stream, Relay | Statuses):
        return await bridge.on_loop(work)
    if (owner := _owner()) is None:
        with dspy.context(send_stream=None):
            return await bridge.on_loop(work)
    relay = Relay(stream, owner)
    try:
        return await asyncio.wrap_future(_begun(work, relay))
    except asyncio.CancelledError:
        relay.passing.cancel()
        raise
    finally:
        relay.close()
        if not relay.passing.cancelled():
            await asyncio.wrap_future(relay.passing)


def unheard() -> AbstractContextManager[Any]:
    """A context for a call: where there are listeners its text is not streamed, only its status messages."""
    stream = dspy.settings.send_stream
    if not isinstance(stream, Relay) or not dspy.settings.stream_listeners:
        return nullcontext()
    silent: AbstractContextManager[Any] = dspy.context(send_stream=Statuses(stream))
    return silent


def tell(predictor: dspy.Module, fields: Mapping[str, Any]) -> None:
    """Give the listeners of a predictor what it has written; without `allow_reuse` each hears once.

    Args:
        predictor: Which one, or a whole program.
        fields: Its output fields.
    """
    stream = dspy.settings.send_stream
    if not isinstance(stream, Relay):
        return
    for listener in dspy.settings.stream_listeners or ():
        name = listener.signature_field_name
        if (
            listener.predict is not predictor
            or name not in fields
            or (listener.stream_end and not listener.allow_reuse)
        ):
            continue
        parts = pieces(shown(fields[name]))
        listener.stream_start = listener.stream_end = True  # or DSPy takes it that nothing was heard
        for place, piece in enumerate(parts, 1):
            stream.put(StreamResponse(listener.predict_name, name, piece, is_last_chunk=place == len(parts)))


def _begun(work: Coroutine[Any, Any, T], relay: Relay) -> concurrent.futures.Future[T]:
    """The work, begun; it is cancelled when the relay finds that nobody reads any more."""
    with dspy.context(send_stream=relay), watching(_teller(relay)):
        future = bridge.submit(work)
    relay.passing.add_done_callback(lambda ended: future.cancel() if ended.cancelled() or not ended.result() else None)
    return future


def _teller(relay: Relay) -> Callable[[Progress], None]:
    providers = [c.status_message_provider for c in dspy.settings.callbacks if isinstance(c, StatusStreamingCallback)]

    def tell(progress: Progress) -> None:
        for provider in providers:
            if type(provider) is StatusMessageProvider:
                continue
            message = getattr(provider, "stage_status_message", str)(progress)
            if message:
                relay.put(StatusMessage(message))

    return tell


def _owner() -> asyncio.AbstractEventLoop | None:
    """The loop that reads the stream: this thread's, or that of which this thread is a worker; None: unknown."""
    import anyio.from_thread

    running = _running()
    try:
        above: asyncio.AbstractEventLoop | None = anyio.from_thread.run_sync(asyncio.get_running_loop)
    except RuntimeError:
        above = None
    # A worker that runs a loop of its own: either may be the reader's.
    return (running or above) if running is None or above is None else None


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
