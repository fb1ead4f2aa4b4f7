"""The server process from start to end: load, bind, serve, shut down."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import uvicorn

from ..errors import EndpointError
from .access import DEFAULT_ACCESS, Access, is_loopback
from .app import build_app
from .chat import ChatTokenizer
from .connections import BACKLOG, limited, most_connections
from .engine import Engine
from .engine_process import EngineProcess
from .jobs import EngineOptions
from .lifeline import end_with
from .model import read_model
from .server_key import KEY_VARIABLE
from .service import Service

WEIGHTS = Path(__file__).parent / "weights"
MODEL_NAME = "pdr-reasoner"
_ANY = ("0.0.0.0", "::", "")


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Inference threads where nothing is said: half the usable cores, 1 to 4.

    The other half is for the server and its client: the model is so small that a call's Python costs as much.
    """
    return max(1, min(4, usable_cores() // 2))


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server runs.

    Attributes:
        weights: The model's directory.
        host: Address to listen on.
        port: Port; 0 is any free one.
        allowed_hosts: Names that clients may call the machine by, besides `localhost`, its own name and `host`.
        api_key: What clients must send as `Authorization: Bearer`; "" is nothing.
        threads: Inference threads.
        served_model_name: Name clients ask for.
        max_num_seqs: Choices generated at once; further ones wait.
        max_num_batched_tokens: Most tokens of one engine step.
        max_model_len: Context in tokens; None is the model's own.
        kv_cache_mb: Most memory of the KV cache (it grows as it is used).
        reasoning_parser: `think` puts the thinking into `reasoning_content`, `none` leaves it in `content`.
        parent: Process id this server must not outlive, or None.
        parent_signal: Let the kernel kill the server with its parent, too (see `lifeline`).
        ready_file: Where to write `{"port", "pid", "model"}` once requests are answered, or None.
    """

    weights: Path = WEIGHTS
    host: str = "127.0.0.1"
    port: int = 0
    allowed_hosts: tuple[str, ...] = ()
    api_key: str = field(default="", repr=False)
    threads: int = field(default_factory=default_threads)
    served_model_name: str = MODEL_NAME
    max_num_seqs: int = 64
    max_num_batched_tokens: int = 256
    max_model_len: int | None = None
    kv_cache_mb: int = 512
    reasoning_parser: Literal["think", "none"] = "think"
    parent: int | None = None
    parent_signal: bool = False
    ready_file: Path | None = None


def serve(settings: ServerSettings) -> None:
    """Serve until a signal, the parent's end or the engine's.

    Raises:
        EndpointError: The weights can't be served, the port is taken, or the engine ended by itself.
    """
    # Uvicorn raises the signal again once it has shut down: it must end in the clean-up below, not past it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if settings.parent is not None:
        end_with(settings.parent, signal_too=settings.parent_signal)
    if warning := warning_of(settings):
        print(warning, file=sys.stderr, flush=True)
    model = read_model(settings.weights, settings.max_model_len)
    tokenizer = ChatTokenizer(settings.weights)
    listener = listen_on(settings.host, settings.port)
    server: uvicorn.Server | None = None
    died = False

    def engine_died() -> None:
        nonlocal died
        died = True
        if server is not None:
            server.should_exit = True

    engine = EngineProcess(
        EngineOptions(
            weights=str(settings.weights),
            threads=settings.threads,
            max_num_seqs=settings.max_num_seqs,
            max_num_batched_tokens=settings.max_num_batched_tokens,
            kv_blocks=model.kv_blocks(settings.kv_cache_mb),
        ),
        engine_died,
    )
    try:
        ready = engine.load()
        service = Service(settings.served_model_name, model, tokenizer, engine, settings.reasoning_parser == "think")
        server = _Server(http_config(service, access_of(settings)), engine, listener, settings, ready.seconds)
        server.run(sockets=[listener])
    finally:
        engine.close()
        listener.close()
    if died:
        raise EndpointError("engine", "the engine process ended by itself", "See the error above in the log")


def access_of(settings: ServerSettings) -> Access:
    """Who may ask a server that listens as these settings say."""
    names = (settings.host, socket.gethostname(), *settings.allowed_hosts)
    hosts = frozenset(name.strip("[]").lower().removesuffix(".") for name in names) - {""}
    return Access(settings.api_key, hosts, any_address=settings.host in _ANY)


def warning_of(settings: ServerSettings) -> str:
    """What to tell whoever serves other machines, too; "" where only this one is served."""
    if is_loopback(settings.host.lower().removesuffix(".")):
        return ""
    who = "whoever has the key" if settings.api_key else f"whoever reaches this machine ({KEY_VARIABLE} sets a key)"
    return (
        f"warning: listening on {settings.host}: {who} can use the server, and what is said crosses the network in the "
        "clear. --host 127.0.0.1 serves this machine alone"
    )


def http_config(service: Service, access: Access = DEFAULT_ACCESS) -> uvicorn.Config:
    """How the service is put on the wire."""
    return uvicorn.Config(
        build_app(service, access),
        http=limited(most_connections()),
        backlog=BACKLOG,
        ws="none",
        proxy_headers=False,  # there is none between, and what a client says of itself decides nothing
        server_header=False,
        access_log=False,
        log_level="error",  # a warning for each malformed request would let a client fill the log
        lifespan="off",
        timeout_graceful_shutdown=2,
        # Uvicorn's 5 seconds are short enough for a pooled client to meet the closing connection between rounds.
        timeout_keep_alive=75,
    )


class _Server(uvicorn.Server):
    """Uvicorn, which tells when it really listens."""

    def __init__(
        self, config: uvicorn.Config, engine: Engine, listener: socket.socket, settings: ServerSettings, load: float
    ) -> None:
        super().__init__(config)
        self._engine = engine
        self._port = listener.getsockname()[1]
        self._settings = settings
        self._load = load

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._engine.listen(asyncio.get_running_loop())
        name = self._settings.served_model_name
        print(
            f"{name} on http://{self._settings.host}:{self._port}/v1 "
            f"({self._settings.threads} threads, loaded in {self._load:.2f} s)",
            file=sys.stderr,
            flush=True,
        )
        if (ready := self._settings.ready_file) is not None:
            # Written beside and moved, so that a reader never meets half a file.
            part = ready.with_name(ready.name + ".part")
            part.write_text(json.dumps({"port": self._port, "pid": os.getpid(), "model": name}), encoding="utf-8")
            part.replace(ready)


def listen_on(host: str, port: int) -> socket.socket:
    """A socket on a port (0 is any free one).

    Raises:
        EndpointError: It can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as problem:
        listener.close()
        raise EndpointError(
            "port", f"cannot listen on {host}:{port}: {problem}", "Use --port 0 for a free one"
        ) from problem
    return listener
