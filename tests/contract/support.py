"""A server under contract, a recorder between it and the library, and prompts as the library renders them."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import dspy
import httpx

from pdr_dspy import bridge
from pdr_dspy.data.worksheets import Worksheet, worksheets
from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.ledger import CallRecord
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Round, Sampling, Summary, Workflow

Messages = list[dict[str, str]]

_SAMPLE = re.compile(r"^vllm:(\w+_total|num_requests_\w+?)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
CAPS: dict[str, Any] = {"thinking": 64, "answer": 96}
SAMPLING = Sampling(temperature=0.8)


@dataclass(frozen=True, slots=True)
class Served:
    """One running server.

    Attributes:
        kind: Which server it is.
        base_url: Its address, `http://host:port/v1`.
        model: Name the model is served under.
        parser: Whether it puts the thinking into a field of its own (`--reasoning-parser`).
    """

    kind: Literal["embedded", "vllm"]
    base_url: str
    model: str
    parser: bool

    def metrics(self) -> dict[str, float]:
        """The server's counters, `vllm:` left off, summed over their labels (`prompt_tokens_total`, ...)."""
        text = httpx.get(f"{self._root}/metrics", timeout=30, trust_env=False).text
        counters: dict[str, float] = {}
        for name, value in _SAMPLE.findall(text):
            counters[name] = counters.get(name, 0.0) + float(value)
        return counters

    def since(self, before: Mapping[str, float]) -> dict[str, int]:
        """By how much the counters have grown."""
        return {name: round(value - before.get(name, 0.0)) for name, value in self.metrics().items()}

    def chat(self, messages: Messages, **fields: Any) -> httpx.Response:
        """A plain chat completion request, without the library."""
        body = {"model": self.model, "messages": messages, **fields}
        return httpx.post(f"{self.base_url}/chat/completions", json=body, timeout=120, trust_env=False)

    def tokens(self, messages: Messages) -> list[int]:
        """Token ids of a chat request's prompt."""
        body = {"model": self.model, "messages": messages}
        reply = httpx.post(f"{self._root}/tokenize", json=body, timeout=30, trust_env=False)
        ids: list[int] = reply.raise_for_status().json()["tokens"]
        return ids

    def endpoint(self, **settings: Any) -> Endpoint:
        """The library's way to it."""
        return open_endpoint([self.base_url], **settings)

    @property
    def _root(self) -> str:
        return self.base_url.removesuffix("/v1")


def open_endpoint(urls: Sequence[str], **settings: Any) -> Endpoint:
    """An endpoint that retries soon."""
    values: dict[str, Any] = {"backoff": 0.05, "connect_timeout": 2.0, "timeout": 120.0, **settings}
    return Endpoint.open(EndpointSettings(tuple(urls), **values))


def generated(records: Iterable[CallRecord]) -> tuple[int, int]:
    """(prompt, completion) tokens of some records."""
    rows = list(records)
    return sum(r.prompt_tokens for r in rows), sum(r.completion_tokens for r in rows)


def counted(growth: Mapping[str, int]) -> tuple[int, int]:
    """(prompt, completion) tokens by which a server's counters have grown."""
    return growth["prompt_tokens_total"], growth["generation_tokens_total"]


def pdr_workflow(width: int = 4, rounds: int = 2) -> Workflow:
    """PDR with a summary between the rounds: so many rounds of `width`, and a last refinement."""
    drawn = tuple(Round(width=width, distill=Summary(tokens=64), **CAPS) for _ in range(rounds))
    return Workflow(name="pdr", rounds=(*drawn, Round(width=1, **CAPS)), sampling=SAMPLING)


def prompts(count: int, *, lines: int = 4, seed: int = 1) -> list[Messages]:
    """Messages of first drafts, as the library renders them."""
    draft = PDR(Worksheet, pdr_workflow()).draft
    problems = worksheets(count, lines=lines, split="search", seed=seed)
    return [_messages(draft, dict(p.inputs)) for p in problems]


def refine_prompts(count: int, *, lines: int = 4, seed: int = 2, workspace: str = "A: none\nB: none") -> list[Messages]:
    """Messages of refinements from a workspace."""
    refine = PDR(Worksheet, pdr_workflow()).refine
    problems = worksheets(count, lines=lines, split="search", seed=seed)
    return [_messages(refine, {**p.inputs, "workspace": workspace}) for p in problems]


def _messages(predictor: dspy.Predict, inputs: dict[str, Any]) -> Messages:
    rendered: Messages = dspy.ChatAdapter().format(predictor.signature, [], inputs)
    return rendered


def ask(endpoint: Endpoint, asked: Sequence[tuple[Messages, dict[str, Any]]]) -> list[str | Exception]:
    """Calls at once through the library; each one's text (thinking and answer), or what it raised."""

    async def one(messages: Messages, config: dict[str, Any]) -> str | Exception:
        try:
            (output,) = await endpoint.lm.acall(messages=messages, **config)
        except Exception as error:
            return typed(error)
        return output if isinstance(output, str) else f"{output.get('reasoning_content')}|{output.get('text')}"

    async def every() -> list[str | Exception]:
        return list(await asyncio.gather(*(one(m, c) for m, c in asked)))

    return bridge.run(every())


def typed(error: BaseException) -> Exception:
    """The library's own error in an exception's chain of causes."""
    from pdr_dspy.errors import CallError, EndpointError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CallError | EndpointError):
            return cause
        cause = cause.__cause__
    raise error


@dataclass(frozen=True, slots=True)
class Exchange:
    """One chat request and its answer."""

    request: dict[str, Any]
    status: int
    answer: dict[str, Any]


@dataclass
class Recorder:
    """Passes requests on to a server and keeps the chat requests; a `with` runs it.

    Attributes:
        target: The server's address, `http://host:port/v1`.
        refuse: So many of the next chat requests are answered 503 and not passed on.
        lose: So many of the next chat answers are lost: passed on, answered there, the connection then closed.
        hidden: Paths that are answered 404, as by a server that lacks them.
    """

    target: str
    refuse: int = 0
    lose: int = 0
    hidden: tuple[str, ...] = ()
    exchanges: list[Exchange] = field(default_factory=list)

    def __enter__(self) -> Recorder:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._http = httpx.Client(timeout=120, trust_env=False)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()

    @property
    def base_url(self) -> str:
        """Its own address."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def handle(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        """The answer to a request, or None where it is lost."""
        if path in self.hidden:
            return 404, b"{}"
        chat = path.endswith("/chat/completions")
        if chat and self._one_of("refuse"):
            return 503, b'{"error": {"message": "busy", "code": 503}}'
        reply = self._http.request(
            method, self.target.removesuffix("/v1") + path, content=body, headers={"Content-Type": "application/json"}
        )
        if chat:
            with self._lock:
                self.exchanges.append(Exchange(json.loads(body), reply.status_code, reply.json()))
            if self._one_of("lose"):
                return None
        return reply.status_code, reply.content

    def _one_of(self, name: Literal["refuse", "lose"]) -> bool:
        with self._lock:
            left = getattr(self, name)
            setattr(self, name, max(0, left - 1))
            return bool(left)


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass()

        def do_POST(self) -> None:
            self._pass()

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = recorder.handle(self.command, self.path, body)
            self.close_connection = answer is None
            if answer is None:
                return
            self.send_response(answer[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
