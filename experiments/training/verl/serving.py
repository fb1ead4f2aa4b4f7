"""The embedded server's app over an engine, on the event loop that is running. Not run on GPUs.

    async with serving(engine, served_model(...)) as url:
        ...  # pdr_dspy.endpoint.connect(url), in a thread

A rollout is then an ordinary run of the library against an ordinary address. Imports nothing of verl.
"""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from experiments.training.verl.engine import ServerManagerEngine
from pdr_dspy.embedded.app import build_app
from pdr_dspy.embedded.chat import ChatTokenizer
from pdr_dspy.embedded.model import CARD, ModelFiles
from pdr_dspy.embedded.service import Service

NAME = "policy"
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class ServedModel:
    """What the app must know of the policy beside its weights.

    Attributes:
        files: Context, end tokens, recommended prompts.
        tokenizer: Its tokenizer and chat template.
    """

    files: ModelFiles
    tokenizer: ChatTokenizer


def served_model(tokenizer: Any, path: str, *, context: int, end_ids: frozenset[int]) -> ServedModel:
    """The policy as verl has it.

    Args:
        tokenizer: verl's (of transformers, a fast one).
        path: Where the model was loaded from; a card beside it (`pdr.json`) says how it wants to be asked.
        context: Tokens of prompt and completion together.
        end_ids: Tokens that end a completion.
    """
    with tempfile.TemporaryDirectory(prefix="pdr-policy-") as folder:
        tokenizer.save_pretrained(folder)
        chat = ChatTokenizer(Path(folder))
    card = Path(path) / CARD
    files = ModelFiles(
        directory=Path(path),
        context=context,
        end_ids=end_ids,
        defaults={},
        revision=f"verl:{path}",
        kv_bytes_per_token=0,
        card=json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {},
    )
    return ServedModel(files, chat)


@asynccontextmanager
async def serving(engine: ServerManagerEngine, model: ServedModel) -> AsyncIterator[str]:
    """Serve `model` through `engine` on this event loop; yields the base URL."""
    listener = socket.create_server((_HOST, 0))
    service = Service(NAME, model.files, model.tokenizer, engine, split_thinking=True)
    config = uvicorn.Config(
        build_app(service),
        access_log=False,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=2,
        timeout_keep_alive=600,  # a pooled client must not meet a closing connection between rounds
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.listening.wait()
        yield f"http://{_HOST}:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        await running
        listener.close()


class _Server(uvicorn.Server):
    """Uvicorn, which tells when it listens and leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
