"""Clients that keep the server waiting are dropped, and too many of them keep nobody else out."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from pdr_dspy.embedded.connections import limited
from pdr_dspy.embedded.serve import http_config

from .support import service_of

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
ASKED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(
    folder: Path,
    most: int = 100,
    request_seconds: float = 600,
    reading_seconds: float = 600,
    dropped: list[Any] | None = None,
) -> AsyncIterator[int]:
    """The port of a server with these limits."""
    service, engine = service_of(folder)
    engine.listen(asyncio.get_running_loop())
    config = http_config(service)
    protocol = limited(most, request_seconds, reading_seconds)

    class Told(protocol):  # type: ignore[valid-type, misc]
        def drop(self) -> None:
            super().drop()
            if dropped is not None:
                dropped.append(self)

    config.http = Told
    server = Quiet(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0)
        yield listener.getsockname()[1]
        server.should_exit = True
        await running
    engine.close()


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(port: int, sent: bytes = b"") -> Pair:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    return reader, writer


async def closed(pair: Pair) -> bytes:
    """Waits until the server has closed; what it said before."""
    try:
        return await pair[0].read()
    except ConnectionResetError:
        return b""
    finally:
        pair[1].close()


async def answer(pair: Pair) -> bytes:
    head = await pair[0].readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await pair[0].readexactly(length)
    return head.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /hea", b"GET /health HTTP/1.1\r\nX: ", HEAD + b"Content-Length: 500\r\n\r\n{", ASKED + b"GET /hea"],
    ids=["nothing", "line", "header", "body", "second"],
)
async def test_half_a_request_is_dropped(tokenizer_dir: Path, sent: bytes) -> None:
    async with listening(tokenizer_dir, request_seconds=0.2) as port:
        said = await closed(await connect(port, sent))
        assert said.startswith(b"HTTP/1.1 200") == sent.startswith(ASKED)
        assert b"200" in await answer(await connect(port, ASKED))


async def test_a_byte_at_a_time_is_dropped(tokenizer_dir: Path) -> None:
    async with listening(tokenizer_dir, request_seconds=0.2) as port:
        reader, writer = await connect(port, b"GET /health HTTP/1.1\r\nX: ")
        async with asyncio.timeout(60):  # else it is waited for without end
            dropped = False
            while not dropped:
                writer.write(b"a")
                try:
                    await asyncio.wait_for(reader.read(1), 0.02)
                    dropped = reader.at_eof()
                except TimeoutError:
                    continue
                except ConnectionResetError:  # raised again at once, without giving way, whenever it is read
                    dropped = True
        writer.close()


async def test_a_kept_connection_is_not_dropped_for_its_age(tokenizer_dir: Path) -> None:
    async with listening(tokenizer_dir, request_seconds=0.1) as port:
        pair = await connect(port, ASKED)
        for _ in range(4):
            assert b"200" in await answer(pair)
            await asyncio.sleep(0.07)
            pair[1].write(ASKED)
        pair[1].close()


async def test_idle_connections_make_room(tokenizer_dir: Path) -> None:
    async with listening(tokenizer_dir, most=20) as port:
        used = await connect(port, ASKED)
        await answer(used)
        idle = [await connect(port, b"GET /health HTTP/1.1\r\nX: ") for _ in range(30)]
        for _ in range(15):
            pair = await connect(port, ASKED)
            assert b"200" in await answer(pair)
            pair[1].close()
        assert await closed(idle[0]) == b"", "the oldest of those that never asked"
        used[1].write(ASKED)
        assert b"200" in await answer(used), "one that has been of use stays"
        for _, writer in (*idle, used):
            writer.close()


async def test_connections_at_work_are_not_dropped(tokenizer_dir: Path) -> None:
    body = b'{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 90, "seed": 40, "stream": true}'
    asked = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with listening(tokenizer_dir, most=2) as port:
        # Its first bytes are there: both are at work, or are done.
        for pair in (pairs := [await connect(port, asked) for _ in range(2)]):
            await pair[0].readuntil(b"\r\n\r\n")
        await connect(port, ASKED)
        for reader, writer in pairs:
            assert (await reader.readuntil(b"[DONE]")).endswith(b"[DONE]")
            writer.close()


async def test_an_answer_that_nobody_reads_is_dropped(tokenizer_dir: Path) -> None:
    dropped: list[Any] = []
    async with listening(tokenizer_dir, reading_seconds=0.2, dropped=dropped) as port:
        _, writer = await connect(port)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(ASKED.replace(b"/health", b"/metrics") * 20_000)
        while not dropped:
            await asyncio.sleep(0.01)
        writer.close()
        assert b"200" in await answer(await connect(port, ASKED))


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"x" * 70_000])
async def test_no_http_is_an_error_in_json(tokenizer_dir: Path, sent: bytes) -> None:
    async with listening(tokenizer_dir) as port:
        said = await closed(await connect(port, sent))
        assert said.startswith(b"HTTP/1.1 400") and b'"type": "BadRequestError"' in said


def test_as_many_as_the_process_may_open() -> None:
    program = (
        "import resource, sys; from pdr_dspy.embedded.connections import most_connections as most\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, int(sys.argv[1])))\n"
        "print(most(100), most(1000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    for hard, expected in ((1000, "100 424 1000"), (3000, "100 1000 1576")):
        ran = subprocess.run([sys.executable, "-c", program, str(hard)], capture_output=True, text=True, check=True)
        assert ran.stdout.split() == expected.split()
