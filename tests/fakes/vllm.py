"""A scripted stand-in for a vLLM server: its wire format, its errors and its counters, on a free port, in a thread.

    with FakeVLLM() as server:                       # or the `fake_vllm` fixture
        server.answer = lambda call: f"seed {call.body['seed']}"      # or a plain string, or a Reply
        server.then(Reply(status=429, headers={"Retry-After": "0"}), Reply(text="cut", finish="length"))
        ...                                          # the next two requests get those, later ones `answer`
        server.calls[0].body, .headers, .disconnected    server.metrics()    server.max_in_flight

Everything it counts is counted as vLLM counts it: tokens only of completed answers, prompt and completion apart, and
`GET /metrics` says so under vLLM's names. Tokens are words (`tokenizer="words"`: a run of non-space characters
together with the spaces before it) or bytes (`tokenizer="bytes"`); `tokenizer=None` takes /tokenize away, not the
counting. A prompt is its messages' tokens and four for each message, as a chat template would add. `max_tokens` is
enforced (an answer longer than it is cut, with finish reason "length"), so is the context (vLLM's 400). It knows
nothing of the library under test.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

TEMPLATE_TOKENS = 4  # added for each message of a chat
PROBE_MESSAGE, PROBE_TOKENS = "Say: ok", 16  # by which a probe is known


@dataclass(frozen=True)
class Reply:
    """What one request gets.

    Attributes:
        text: Content of the message; None is JSON null.
        reasoning: Goes into `reasoning_content` (its tokens count as completion tokens).
        finish: Finish reason; "length" is also what an answer longer than `max_tokens` gets.
        delay: Seconds before the answer.
        status, message, headers: An HTTP error in vLLM's JSON shape when status is not 200.
        raw: Body sent as it is, with content type `content_type` (HTML pages, malformed JSON).
        fault: "hang" never answers, "reset" resets the connection, "cut" closes it in the middle of the body.
        usage: False leaves `usage` out.
        cached: Prompt tokens said to come from the prefix cache; None leaves the details out.
        stop_reason: vLLM's own field of a choice.
        tokens: Completion tokens, where they should not be counted from the text.
    """

    text: str | None = "ok"
    reasoning: str | None = None
    finish: str = "stop"
    delay: float = 0.0
    status: int = 200
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    raw: str | None = None
    content_type: str = "application/json"
    fault: Literal["", "hang", "reset", "cut"] = ""
    usage: bool = True
    cached: int | None = None
    stop_reason: str | int | None = None
    tokens: int | None = None


HTML = Reply(raw="<!doctype html><html><body>Welcome to nginx!</body></html>", content_type="text/html")
MALFORMED = Reply(raw='{"id": "chatcmpl-1", "choices": [{"index": 0, "message": {"role": "assist')
HANG = Reply(fault="hang")
RESET = Reply(fault="reset")
CUT = Reply(fault="cut")


def too_many(seconds: float | str = 0) -> Reply:
    """429 with a Retry-After."""
    return Reply(status=429, message="Too many requests", headers={"Retry-After": str(seconds)})


def unavailable(status: int = 503) -> Reply:
    """A 5xx."""
    return Reply(status=status, message="The engine is not ready")


def overflow(context: int, prompt: int, asked: int) -> Reply:
    """vLLM's 400 for a request longer than the model's context."""
    return Reply(
        status=400,
        message=(
            f"This model's maximum context length is {context} tokens. However, you requested {asked} output tokens "
            f"and your prompt contains at least {prompt} input tokens, for a total of at least {prompt + asked} "
            "tokens. Please reduce the length of the input prompt or the number of requested output tokens. "
            f"(parameter=input_tokens, value={prompt})"
        ),
    )


@dataclass
class Call:
    """One request to /v1/chat/completions, as the server saw it."""

    body: dict[str, Any]
    headers: dict[str, str]
    started: float
    number: int
    status: int | None = None
    disconnected: bool = False
    ended: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def is_probe(self) -> bool:
        """Whether it is the tiny request by which a client finds out what a server can do."""
        return self.cap == PROBE_TOKENS and [m.get("content") for m in self.messages] == [PROBE_MESSAGE]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The chat."""
        return list(self.body.get("messages", []))

    @property
    def cap(self) -> int | None:
        """The cap on the answer, in OpenAI's new spelling or the old one."""
        return self.body.get("max_completion_tokens", self.body.get("max_tokens"))

    @property
    def prompt(self) -> str:
        """All message texts, one after another."""
        return "\n".join(_text(m.get("content")) for m in self.messages)


Answer = str | Reply | Callable[[Call], "str | Reply | None"] | None


class FakeVLLM:
    """The server. Set `answer`, `strict_fields` and the switches at any time; `start`/`stop` or `with`."""

    def __init__(
        self,
        *,
        model: str = "fake-model",
        context: int = 4096,
        answer: Answer = "ok",
        tokenizer: Literal["words", "bytes"] | None = "words",
        api_key: str | None = None,
        refuses: Iterable[str] = (),
        models_reply: Reply | None = None,
        root: str | None = None,
    ) -> None:
        self.model = model
        self.context = context
        self.answer: Answer = answer
        self.tokenizer = tokenizer
        self.api_key = api_key
        self.refuses = set(refuses)  # request fields answered with a 400 that names them
        self.models_reply = models_reply  # instead of the list of models
        self.root = root or model
        self.card: dict[str, Any] = {"format": "markers"}  # what the model's card recommends: the fakes speak so
        self.states_context = True  # max_model_len in /v1/models
        self.opens = ""  # what the chat template ends a prompt with, where a generation prompt is asked for
        self.renders: Callable[[str], str] = str  # what the chat template makes of an assistant's message
        self.healthy = True
        self.held = False  # while True, requests are taken and none is answered
        self.calls: list[Call] = []
        self.probes: list[Call] = []  # requests that only find out what it can do; in no other list
        self.answer_probes = False  # True: they get what `answer` says; else what they ask for, or its `probed`
        self.other_requests: list[str] = []  # "GET /v1/models", ...
        self.in_flight = 0
        self.max_in_flight = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.succeeded = 0
        self._queue: deque[Reply] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._thread: threading.Thread | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0

    # -- what tests use ---------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The base address, `/v1` included."""
        return f"http://127.0.0.1:{self._port}/v1"

    def then(self, *replies: Reply | str) -> None:
        """The next requests get these, in order, before `answer` is asked again."""
        self._queue.extend(r if isinstance(r, Reply) else Reply(text=r) for r in replies)

    @property
    def disconnects(self) -> int:
        """Requests whose client went away before the answer."""
        return sum(c.disconnected for c in self.calls)

    def metrics(self) -> dict[str, float]:
        """The counters of /metrics, by vLLM's names."""
        return {
            "vllm:prompt_tokens_total": self.prompt_tokens,
            "vllm:generation_tokens_total": self.completion_tokens,
            "vllm:num_requests_running": self.in_flight,
            "vllm:request_success_total": self.succeeded,
        }

    def wait(self, condition: Callable[[FakeVLLM], bool], seconds: float = 5.0) -> None:
        """Block until the condition holds (for what the server notices a moment later, as a disconnect)."""
        end = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > end:
                raise AssertionError("the fake server never came to the awaited state")
            time.sleep(0.01)

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self.pieces(text))

    def pieces(self, text: str) -> list[str]:
        """The text cut into tokens (bytes: one latin-1 character a byte)."""
        if self.tokenizer == "bytes":
            return [chr(b) for b in text.encode()]
        return re.findall(r"\s*\S+|\s+$", text)

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> FakeVLLM:
        """Listen; returns once it does. A stopped server started again keeps its port."""
        ready = threading.Event()

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._server = await asyncio.start_server(self._connection, "127.0.0.1", self._port, limit=2**24)
            self._port = self._server.sockets[0].getsockname()[1]
            ready.set()
            # Not serve_forever: its cancellation would wait for open connections.
            self._stopping = asyncio.Event()
            await self._stopping.wait()
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), name="fake-vllm", daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the fake server did not start")
        return self

    def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._loop is not None and self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10)

    def __enter__(self) -> FakeVLLM:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- HTTP -------------------------------------------------------------------------------------------------------

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                method, path, _ = first.split(" ", 2)
                headers = {k.strip().lower(): v.strip() for k, _, v in (x.partition(":") for x in lines if x)}
                body = await reader.readexactly(int(headers.get("content-length", "0") or 0))
                if not await self._route(method, path.partition("?")[0], headers, body, reader, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return  # the client has gone, or the server is being stopped
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _route(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        if path == "/v1/chat/completions":
            return await self._chat(headers, body, reader, writer)
        self.other_requests.append(f"{method} {path}")
        if path == "/health":
            await _send(writer, 200 if self.healthy else 503, "")
        elif path == "/metrics":
            lines = "".join(f'{k}{{model_name="{self.model}"}} {v}\n' for k, v in self.metrics().items())
            await _send(writer, 200, lines, "text/plain")
        elif self.api_key is not None and headers.get("authorization") != f"Bearer {self.api_key}":
            await _send(writer, 401, json.dumps({"error": "Unauthorized"}))
        elif path == "/v1/models":
            await self._models(writer)
        elif path == "/tokenize" and self.tokenizer is not None:
            await self._tokenize(json.loads(body), writer)
        elif path == "/detokenize" and self.tokenizer is not None:
            ids = json.loads(body)["tokens"]
            await _send(writer, 200, json.dumps({"prompt": self._text_of(ids)}))
        else:
            await _send(writer, 404, json.dumps({"detail": "Not Found"}))
        return True

    async def _models(self, writer: asyncio.StreamWriter) -> None:
        if (reply := self.models_reply) is not None:
            await _send(writer, reply.status, _error_body(reply), reply.content_type, reply.headers)
            return
        card: dict[str, Any] = {"id": self.model, "object": "model", "owned_by": "vllm", "root": self.root}
        if self.states_context:
            card["max_model_len"] = self.context
        if self.card:
            card["pdr"] = self.card
        await _send(writer, 200, json.dumps({"object": "list", "data": [card]}))

    async def _tokenize(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if "messages" in body:
            count = self._prompt_tokens(body)
            end = self._ids(self.opens or _text(body["messages"][-1].get("content")))
            ids = ([*end[:1]] * count + end)[-count:]
            reply: dict[str, Any] = {"count": count, "max_model_len": self.context, "tokens": ids}
        else:
            ids = self._ids(body["prompt"])
            reply = {"count": len(ids), "max_model_len": self.context, "tokens": ids}
        await _send(writer, 200, json.dumps(reply))

    def _ids(self, text: str) -> list[int]:
        if self.tokenizer == "bytes":
            return list(text.encode())
        # A word's id is its place in the vocabulary seen so far: enough for a round trip.
        vocabulary = self.__dict__.setdefault("_vocabulary", {})
        return [vocabulary.setdefault(p, len(vocabulary)) for p in self.pieces(text)]

    def _text_of(self, ids: list[int]) -> str:
        if self.tokenizer == "bytes":
            return bytes(ids).decode("utf-8", "replace")
        words = {i: w for w, i in self.__dict__.setdefault("_vocabulary", {}).items()}
        return "".join(words[i] for i in ids)

    def _prompt_tokens(self, body: dict[str, Any]) -> int:
        opened = self.opens if body.get("add_generation_prompt", True) else ""
        texts = [(m.get("role"), _text(m.get("content"))) for m in body.get("messages", [])]
        shown = [self.renders(text) if role == "assistant" else text for role, text in texts]
        return sum(self.count(text) + TEMPLATE_TOKENS for text in shown) + self.count(opened)

    # -- chat -------------------------------------------------------------------------------------------------------

    async def _chat(
        self, headers: dict[str, str], body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        call = Call(json.loads(body), headers, time.time(), len(self.calls))
        (self.probes if call.is_probe else self.calls).append(call)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        # A client that waits sends nothing: whatever can be read here is its going away.
        gone = asyncio.ensure_future(reader.read(1))
        work = asyncio.ensure_future(self._reply(call))
        try:
            await asyncio.wait({gone, work}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                call.disconnected = True
                return False
            return await self._answer(call, work.result(), writer)
        finally:
            for task in (gone, work):
                task.cancel()
            await asyncio.gather(gone, work, return_exceptions=True)
            self.in_flight -= 1
            call.ended = time.time()

    async def _reply(self, call: Call) -> Reply:
        reply = self._refusal(call) or self._next(call)
        while self.held and not call.is_probe:
            await asyncio.sleep(0.05)
        if reply.fault == "hang":
            await asyncio.Event().wait()
        if reply.delay:
            await asyncio.sleep(reply.delay)
        return reply

    def _refusal(self, call: Call) -> Reply | None:
        body = call.body
        if self.api_key is not None and call.headers.get("authorization") != f"Bearer {self.api_key}":
            return Reply(status=401, raw=json.dumps({"error": "Unauthorized"}))
        if body.get("model") != self.model:
            return Reply(status=404, message=f"The model `{body.get('model')}` does not exist.")
        for name in sorted(self.refuses & set(body)):
            return Reply(status=400, message=f"[{{'type': 'extra_forbidden', 'loc': ('body', '{name}')}}]")
        prompt, asked = self._prompt_tokens(body), int(call.cap or 1)
        if prompt + asked > self.context:
            return overflow(self.context, prompt, asked)
        return None

    def _next(self, call: Call) -> Reply:
        if call.is_probe and not self.answer_probes:
            probed = getattr(self.answer, "probed", None)
            return probed(call) if probed is not None else Reply()
        if self._queue:
            return self._queue.popleft()
        answer = self.answer(call) if callable(self.answer) else self.answer
        return answer if isinstance(answer, Reply) else Reply(text=answer)

    async def _answer(self, call: Call, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        call.status = reply.status
        if reply.fault == "reset":
            writer.transport.abort()
            return False
        if reply.status != 200 or reply.raw is not None:
            await _send(writer, reply.status, _error_body(reply), reply.content_type, reply.headers)
            return True
        body = json.dumps(self._completion(call, reply))
        if reply.fault == "cut":
            writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body) + 100}\r\n\r\n{body[:20]}".encode())
            await writer.drain()
            return False
        self.prompt_tokens += call.prompt_tokens
        self.completion_tokens += call.completion_tokens
        self.succeeded += 1
        await _send(writer, 200, body, reply.content_type, reply.headers)
        return True

    def _completion(self, call: Call, reply: Reply) -> dict[str, Any]:
        text, finish, cap = reply.text, reply.finish, call.cap
        thinking = self.count(reply.reasoning or "")
        used = reply.tokens if reply.tokens is not None else thinking + self.count(text or "") + 1  # end token
        if cap is not None and used > cap:
            kept = self.pieces(text or "")[: max(cap - thinking, 0)]
            text = bytes(map(ord, kept)).decode(errors="ignore") if self.tokenizer == "bytes" else "".join(kept)
            used, finish = cap, "length"
        call.prompt_tokens, call.completion_tokens = self._prompt_tokens(call.body), used
        message: dict[str, Any] = {"role": "assistant", "content": text, "tool_calls": []}
        if reply.reasoning is not None:
            message["reasoning_content"] = reply.reasoning
        body: dict[str, Any] = {
            "id": f"chatcmpl-{call.number}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "stop_reason": reply.stop_reason}],
        }
        if reply.usage:
            total = call.prompt_tokens + used
            usage = {"prompt_tokens": call.prompt_tokens, "completion_tokens": used, "total_tokens": total}
            details = None if reply.cached is None else {"cached_tokens": reply.cached}
            body["usage"] = {**usage, "prompt_tokens_details": details}
        return body


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return "" if content is None else str(content)


def _error_body(reply: Reply) -> str:
    if reply.raw is not None:
        return reply.raw
    kind = {400: "BadRequestError", 404: "NotFoundError"}.get(reply.status, "InternalServerError")
    return json.dumps({"error": {"message": reply.message, "type": kind, "param": None, "code": reply.status}})


async def _send(
    writer: asyncio.StreamWriter,
    status: int,
    body: str,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> None:
    data = body.encode()
    lines = {"content-type": content_type, "content-length": str(len(data)), **(headers or {})}
    head = f"HTTP/1.1 {status} Status\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
    writer.write(head.encode() + data)
    await writer.drain()
