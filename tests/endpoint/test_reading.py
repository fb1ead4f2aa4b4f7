"""However much a server sends, and however it is packed, little of it is read, and the error says so."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fakes.vllm import Call, FakeVLLM, Reply, too_many
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint import Secret
from pdr_dspy.endpoint import endpoint as opening
from pdr_dspy.endpoint.chat_body import MalformedBody
from pdr_dspy.endpoint.reading import body_of, most_of
from pdr_dspy.errors import CallError, EndpointError, ServerFailure, TimedOut

from .support import KEY, open_endpoint, outcome, recorded

MIB = 2**20
GOOD = {
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 3},
}

Wild = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Odd(FakeVLLM):
    """A server that writes what it likes."""

    wild: Wild | None = None
    odd_models: Wild | None = None

    async def _answer(self, call: Call, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        if self.wild is None or call.is_probe:
            return await super()._answer(call, reply, writer)
        await self.wild(writer)
        return False

    async def _models(self, writer: asyncio.StreamWriter) -> None:
        if self.odd_models is None:
            await super()._models(writer)
        else:
            await self.odd_models(writer)
            writer.close()


@pytest.fixture
def odd() -> Iterator[Odd]:
    with Odd() as server:
        yield server


def sends(head: str, *pieces: bytes) -> Wild:
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {head}\r\n\r\n".encode())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return send


def endless(status: int = 200, piece: bytes = b'"' + b"x" * 65535) -> Wild:
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Status\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        while True:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()

    return send


async def header_flood(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(10_000_000):
        writer.write(f"x-{number}: {'y' * 1000}\r\n".encode())
        await writer.drain()


def packed(data: bytes, encoding: str = "gzip") -> Wild:
    squeezed = gzip.compress(data, 1) if encoding == "gzip" else zlib.compress(data, 1)
    return sends(f"200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(squeezed)}", squeezed)


@contextmanager
def little_memory(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak / MIB:.0f} MiB"


TOO_MUCH: dict[str, tuple[Wild, str]] = {
    "a stream without end": (endless(), "larger than"),
    "a packed body that grows": (packed(b"0" * 300 * MIB), "larger than"),
    "another way of packing": (packed(b"0" * 300 * MIB, "deflate"), "larger than"),
    "packed as nobody asked": (sends("200 OK\r\ncontent-encoding: br\r\ncontent-length: 3", b"abc"), "'br'"),
    "packed wrongly": (sends("200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3", b"abc"), "unpacked"),
    "a deep body": (sends("200 OK\r\ncontent-length: 800000", b"[" * 400_000 + b"]" * 400_000), "deeply"),
    "a deep object": (sends("200 OK\r\ncontent-length: 300001", b'{"a":' * 50_000 + b"1" + b"}" * 50_000), "deeply"),
    # Python 3.13 reads ten times as deep as those before it, and finds that its end is missing.
    "a broken deep object": (
        sends("200 OK\r\ncontent-length: 10001", b'{"a":' * 1667 + b"1" + b"}" * 1665),
        "the body",
    ),
    "a number without end": (sends("200 OK\r\ncontent-length: 500000", b"1" * 500_000), "no JSON"),
    "headers without end": (header_flood, ""),
}


@pytest.mark.parametrize(("wild", "said"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_too_much_is_one_failed_attempt(odd: Odd, wild: Wild, said: str) -> None:
    with open_endpoint(odd, retries=0) as endpoint:
        assert outcome(endpoint) == ["ok"]
        odd.wild = wild
        with little_memory(40 * MIB):
            error, (record,) = recorded(endpoint, "other")
        assert isinstance(error, ServerFailure) and said in str(error)
        assert (record.outcome, record.reported) == ("server", False)
        assert len(record.detail) < 500
        odd.wild = None
        assert outcome(endpoint, "third") == ["ok"]


def said_so(message: str) -> bytes:
    return json.dumps({"error": {"message": message}}).encode()


ERRORS: dict[str, tuple[Wild, str]] = {
    "5 MB in JSON": (sends("500 E\r\nconnection: close", said_so("m" * 5_000_000)), ""),
    "without end": (endless(500), ""),
    "deep": (sends("500 E\r\nconnection: close", b'{"error":' * 50_000), ""),
    "a little deep": (sends("500 E\r\nconnection: close", b'{"error":' * 1500), ""),
    "packed": (sends("503 E\r\ncontent-encoding: gzip\r\nconnection: close", gzip.compress(b"z" * 100 * MIB, 1)), ""),
    "packed wrongly": (sends("503 E\r\ncontent-encoding: gzip\r\nconnection: close", b"junk"), ""),
    "lines": (sends("500 E\r\nconnection: close", b"a\n" * 2_000_000), ""),
    "short": (sends("500 E\r\nconnection: close", said_so("out of cheese")), "cheese"),
}  # fmt: skip


@pytest.mark.parametrize(("wild", "said"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_has_a_beginning(odd: Odd, wild: Wild, said: str) -> None:
    with open_endpoint(odd, retries=0) as endpoint:
        assert outcome(endpoint) == ["ok"]
        odd.wild = wild
        with little_memory(30 * MIB):
            error, (record,) = recorded(endpoint, "other")
    assert isinstance(error, ServerFailure) and said in str(error)
    assert record.outcome == "server" and len(record.detail) <= 300


def test_a_bad_request_with_a_huge_body_is_still_understood(odd: Odd) -> None:
    message = (
        "This model's maximum context length is 10 tokens. However, you requested 99 output tokens" + "m" * 5_000_000
    )
    odd.wild = sends("400 E\r\nconnection: close", said_so(message))
    with open_endpoint(odd, retries=0) as endpoint:
        error = outcome(endpoint)
    assert isinstance(error, CallError) and error.kind == "context"


def test_a_packed_body_is_read_and_none_is_asked_for(odd: Odd) -> None:
    for encoding in ("gzip", "deflate"):
        odd.wild = packed(json.dumps(GOOD).encode(), encoding)
        with open_endpoint(odd, retries=0) as endpoint:
            assert outcome(endpoint) == ["ok"]
    assert all(call.headers["accept-encoding"] == "identity" for call in odd.calls)


def raw_deflate(data: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(data) + packing.flush()


def members(data: bytes) -> bytes:
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(data[half:])


PACKINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "two members": ("GZIP", members),
    "zeros behind it": ("x-gzip", lambda data: gzip.compress(data) + bytes(3)),
    "twice": ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
    "two ways": ("gzip, deflate", lambda data: zlib.compress(gzip.compress(data))),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "no packing": ("utf-8", bytes),
    "nothing": ("identity,", bytes),
}


@pytest.mark.parametrize(("encoding", "pack"), PACKINGS.values(), ids=PACKINGS.keys())
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_body_is_unpacked_however_it_is_packed_and_cut(
    encoding: str, pack: Callable[[bytes], bytes], size: int
) -> None:
    data = json.dumps({**GOOD, "filler": "word " * 500}).encode()
    wire = pack(data)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(wire), size):
            yield wire[start : start + size]

    def response() -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": encoding}, content=pieces())

    assert asyncio.run(body_of(response(), len(data))) == data
    with pytest.raises(MalformedBody, match="larger"):
        asyncio.run(body_of(response(), len(data) - 1))


@pytest.mark.parametrize("encoding", ["br", "gzip, zstd", "gzip, " * 5 + "gzip"])
def test_a_packing_that_is_not_known_is_named(encoding: str) -> None:
    with pytest.raises(MalformedBody, match="packed"):
        asyncio.run(body_of(httpx.Response(200, headers={"content-encoding": encoding}, content=aiter_of(b"x")), 9))


async def aiter_of(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_request_and_no_key_follows_a_redirection(
    odd: Odd, start_fake: Callable[..., FakeVLLM], status: int
) -> None:
    other = start_fake()
    where = other.url.replace("http://", "http://user:pass@") + "/chat/completions?token=abc"
    odd.then(Reply(status=status, headers={"Location": where}), Reply(status=status))
    with open_endpoint(odd, api_key=Secret(KEY)) as endpoint:
        error = outcome(endpoint)
        assert isinstance(error, EndpointError) and error.field == "endpoint"
        assert other.url in str(error) and "address" in error.mend
        assert not any(part in str(error) for part in ("pass", "token", KEY))
        assert isinstance(outcome(endpoint), EndpointError)
    assert len(odd.calls) == 2 and not other.calls


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_where_a_list_of_models_is_said_to_be_is_told(
    odd: Odd, start_fake: Callable[..., FakeVLLM], status: int
) -> None:
    other = start_fake()
    where = other.url.replace("http://", "http://user:pass@") + "/models?token=abc"
    odd.odd_models = sends(f"{status} R\r\nlocation: {where}\r\ncontent-length: 0")
    with pytest.raises(EndpointError) as caught:
        open_endpoint(odd, api_key=Secret(KEY))
    said = str(caught.value)
    assert caught.value.field == "endpoint" and f"redirects to {other.url}/models (HTTP {status})" in said
    assert "address" in caught.value.mend and "follows" in caught.value.mend
    assert not any(part in said for part in ("pass", "token=", KEY)) and not other.calls


SIDE: dict[str, Wild] = {
    "without end": endless(),
    "an error without end": endless(500),
    "packed": packed(b"0" * 300 * MIB),
    "packed wrongly": sends("200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3", b"abc"),
    "deep": sends("200 OK\r\ncontent-length: 800000", b"[" * 400_000 + b"]" * 400_000),
    "headers": header_flood,
    "a redirection": sends("307 R\r\nlocation: http://elsewhere/v1/models\r\ncontent-length: 0"),
}


@pytest.mark.parametrize("wild", SIDE.values(), ids=SIDE.keys())
def test_a_list_of_models_is_small(odd: Odd, wild: Wild) -> None:
    odd.odd_models = wild
    with little_memory(60 * MIB), pytest.raises(EndpointError):
        open_endpoint(odd)


def slowly(head: bytes, piece: bytes) -> Wild:
    """One piece of a head after another, without end."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    return send


SLOW: dict[str, Wild] = {
    "lines of a head": slowly(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "one line of a head": slowly(b"HTTP/1.1 200 OK\r\nx: ", b"y"),
    "an answer that is still to come": slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": slowly(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", b" "),
    "trailers": slowly(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
}


@pytest.mark.parametrize("wild", SLOW.values(), ids=SLOW.keys())
def test_a_list_of_models_has_an_end_in_time(odd: Odd, wild: Wild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_SIDE_SECONDS", 0.3)
    odd.odd_models = wild
    with pytest.raises(EndpointError, match="unreachable"):
        open_endpoint(odd)


def test_the_wait_that_a_server_asks_for_has_an_end_and_counts(fake_vllm: FakeVLLM) -> None:
    for asked in ("inf", "1000000000", "1e999", "Fri, 31 Dec 9999 23:59:59 GMT"):
        fake_vllm.answer = too_many(asked)
        with open_endpoint(fake_vllm) as endpoint:
            error, records = recorded(endpoint, tag=CallTag(timeout=60.0))  # shorter than any wait: given up at once
        assert isinstance(error, TimedOut) and "120" in str(error)
        assert [r.outcome for r in records] == ["server", "timeout"]
    assert len(fake_vllm.calls) == 4


def test_what_may_be_read_grows_with_what_is_asked_for() -> None:
    assert most_of({"max_tokens": 16}) < 2 * MIB
    assert most_of({"max_tokens": 16_000}) < 10 * MIB
    assert most_of({"max_tokens": 16_000, "top_logprobs": 20}) > 100 * MIB
    assert most_of({"max_tokens": 16_000, "n": 16}) > 100 * MIB
    assert most_of({}) > 16 * MIB
    for odd_cap in (10**30, -1, "x", None, True):
        assert MIB <= most_of({"max_tokens": odd_cap}) <= 2**29


@given(
    data=st.binary(max_size=4000),
    most=st.integers(0, 4000),
    size=st.integers(1, 500),
    encoding=st.sampled_from(["gzip", "deflate", ""]),
)
def test_a_body_is_read_whole_or_not_at_all(data: bytes, most: int, size: int, encoding: str) -> None:
    pack: dict[str, Callable[[bytes], Any]] = {"gzip": gzip.compress, "deflate": zlib.compress, "": bytes}
    wire = pack[encoding](data)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(wire), size):
            yield wire[start : start + size]

    response = httpx.Response(200, headers={"content-encoding": encoding} if encoding else {}, content=pieces())
    if len(data) <= most:
        assert asyncio.run(body_of(response, most)) == data
    else:
        with pytest.raises(MalformedBody, match="larger"):
            asyncio.run(body_of(response, most))
