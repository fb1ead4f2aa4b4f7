"""A policy in training behind the embedded server's own HTTP face, in threads of this process."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn

from pdr_dspy.embedded.chat import ChatTokenizer
from pdr_dspy.embedded.engine import Engine
from pdr_dspy.embedded.engine_thread import EngineThread
from pdr_dspy.embedded.jobs import KV_BLOCK_TOKENS
from pdr_dspy.embedded.model import read_model
from pdr_dspy.embedded.scheduler import Pipeline
from pdr_dspy.embedded.serve import http_config, listen_on
from pdr_dspy.embedded.service import Service
from pdr_dspy.errors import EndpointError

_HOST = "127.0.0.1"


@contextmanager
def serving(
    pipeline: Pipeline, folder: Path, *, slots: int = 192, name: str = "policy", split_thinking: bool = True
) -> Iterator[str]:
    """Serve a pipeline; `pdr_dspy.endpoint.connect` takes the address.

    The stated revision is new each time: stored answers of one policy are never taken for another's. New weights while
    it is served do not change it, so serve again (milliseconds) or keep no store.

    Args:
        pipeline: What generates. Sequences still running at the end are dropped from it.
        folder: Where tokenizer, chat template and configuration are; weights are not read from it.
        slots: Choices generated at once; further ones wait. Not more than the pipeline has.
        name: Name the model is served under.
        split_thinking: Whether thinking goes to its own field of a message.

    Yields:
        `http://127.0.0.1:PORT/v1`.

    Raises:
        EndpointError: The folder is not usable, or the pipeline raised while it served.
    """
    model = replace(read_model(folder, network=()), revision=f"policy:{secrets.token_hex(8)}")
    # So many that only slots limit: a job takes at most one context and a block to spare.
    blocks = slots * (-(-model.context // KV_BLOCK_TOKENS) + 1)
    engine = EngineThread(pipeline, slots, blocks, on_death=lambda: None)
    service = Service(name, model, ChatTokenizer(folder), engine, split_thinking)
    listener = listen_on(_HOST, 0)
    server = _Server(http_config(service), engine)
    thread = threading.Thread(target=server.run_on, args=(listener,), name="pdr-policy-http", daemon=True)
    thread.start()
    try:
        server.listening.wait()
        if not server.started:
            raise EndpointError("policy", "the HTTP server did not start", "See the error above in the log")
        yield f"http://{_HOST}:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join()
        engine.close()
        listener.close()
    if engine.failure is not None:
        raise EndpointError(
            "policy", f"the pipeline raised {type(engine.failure).__name__}: {engine.failure}", "See its own message"
        ) from engine.failure


class _Server(uvicorn.Server):
    """Uvicorn in a thread, which tells when it listens (or never will)."""

    def __init__(self, config: uvicorn.Config, engine: Engine) -> None:
        super().__init__(config)
        self._engine = engine
        self.listening = threading.Event()

    def run_on(self, listener: socket.socket) -> None:
        """Serve until `should_exit`."""
        try:
            asyncio.run(self.serve(sockets=[listener]))
        finally:
            self.listening.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._engine.listen(asyncio.get_running_loop())
        self.listening.set()
