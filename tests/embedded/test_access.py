"""Who is let in: by host, origin, kind of body and key; and how long a request may be."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pdr_dspy.embedded.access import Access
from pdr_dspy.embedded.body import most_bytes
from pdr_dspy.embedded.serve import ServerSettings, access_of, warning_of

from .support import CHAT, GOOD, served

OURS = Access()
ANYWHERE = access_of(ServerSettings(host="0.0.0.0", allowed_hosts=("gpu-3",)))
LAN = access_of(ServerSettings(host="192.168.1.5"))


async def status(folder: Path, access: Access, headers: dict[str, str], **request: Any) -> httpx.Response:
    async with served(folder, access) as (client, _):
        return await client.post(CHAT, headers=headers, **(request or {"json": GOOD}))


@pytest.mark.parametrize(
    ("access", "host", "expected"),
    [
        (OURS, "127.0.0.1:8000", 200),
        (OURS, "127.9.9.9", 200),
        (OURS, "LocalHost:8000", 200),
        (OURS, "[::1]:8000", 200),
        (OURS, "evil.example", 421),
        (OURS, "evil.example:8000", 421),
        (OURS, "localhost.evil.example", 421),
        (OURS, "127.0.0.1.evil.example", 421),
        (OURS, "192.168.1.5", 421),
        (OURS, "gpu-3", 421),
        (OURS, "", 421),
        (OURS, "localhost.", 200),
        (OURS, "LocalHost.:8000", 200),
        (OURS, "localhost..", 421),
        (OURS, ".", 421),
        (OURS, "evil.example.", 421),
        (OURS, "localhost.evil.example.", 421),
        (OURS, "localhost:", 200),
        (OURS, "localhost:80@evil", 421),
        (OURS, "localhost:80@evil.example:80", 421),
        (OURS, "evil@localhost", 421),
        (OURS, "localhost:x", 421),
        (OURS, "localhost:-1", 421),
        (OURS, "localhost:65536", 421),
        (OURS, "localhost:80:80", 421),
        (OURS, "localhost/evil.example", 421),
        (OURS, "localhost evil.example", 421),
        (OURS, "localhost,evil.example", 421),
        (OURS, "localhost#evil.example", 421),
        (OURS, "localhost\\evil.example", 421),
        (OURS, "[::1]evil.example", 421),
        (OURS, "[::1]@evil.example", 421),
        (OURS, "[::1", 421),
        (OURS, "::1", 421),
        (OURS, "[127.0.0.1]", 421),
        (OURS, "[localhost]", 421),
        (ANYWHERE, "192.168.1.5:80@evil.example", 421),
        (ANYWHERE, "gpu-3:80@evil.example", 421),
        (ANYWHERE, "192.168.1.5:8000", 200),
        (ANYWHERE, "[fe80::1]:8000", 200),
        (ANYWHERE, "gpu-3:8000", 200),
        (ANYWHERE, "localhost", 200),
        (ANYWHERE, "gpu-3.", 200),
        (ANYWHERE, "", 421),
        (ANYWHERE, "evil.example", 421),
        (LAN, "192.168.1.5:8000", 200),
        (LAN, "192.168.1.6:8000", 421),
    ],
)
async def test_host(tokenizer_dir: Path, access: Access, host: str, expected: int) -> None:
    answer = await status(tokenizer_dir, access, {"Host": host})
    assert answer.status_code == expected
    if expected == 421:
        error = answer.json()["error"]
        assert error["code"] == 421 and error["param"] == "Host" and "--allowed-host" in error["message"]


async def test_the_machine_answers_to_its_own_name(tokenizer_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Node-7")
    for settings in (ServerSettings(), ServerSettings(host="0.0.0.0")):
        access = access_of(settings)
        for host, expected in (("node-7:8000", 200), ("NODE-7.", 200), ("node-70", 421), ("node-7.evil.example", 421)):
            assert (await status(tokenizer_dir, access, {"Host": host})).status_code == expected, host


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:3000", 200),
        ("http://127.0.0.1", 200),
        ("https://evil.example", 403),
        ("null", 403),
        ("file://", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost:80@evil.example", 403),
        ("http://evil.example@localhost", 403),
        ("http://localhost/", 403),
        ("http://localhost:99999", 403),
    ],
)
async def test_origin(tokenizer_dir: Path, origin: str, expected: int) -> None:
    assert (await status(tokenizer_dir, OURS, {"Origin": origin})).status_code == expected


async def test_two_hosts_are_none(tokenizer_dir: Path) -> None:
    async with served(tokenizer_dir) as (client, _):
        said = [("Host", "evil.example"), ("Host", "localhost")]
        answer = await client.post(CHAT, headers=said, json=GOOD)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Host")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("text/plain;application/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ],
)
async def test_a_page_cannot_send_a_body_without_asking(tokenizer_dir: Path, kind: str, expected: int) -> None:
    data = b'{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3}'
    answer = await status(tokenizer_dir, OURS, {"Content-Type": kind} if kind else {}, content=data)
    assert answer.status_code == expected
    assert expected == 200 or answer.json()["error"]["param"] == "Content-Type"


async def test_a_packed_body_is_not_unpacked(tokenizer_dir: Path) -> None:
    answer = await status(tokenizer_dir, OURS, {"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (415, "Content-Encoding")


async def test_no_other_origin_is_told_that_it_may_ask(tokenizer_dir: Path) -> None:
    async with served(tokenizer_dir) as (client, _):
        asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
        answer = await client.options(CHAT, headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_headers_too_long(tokenizer_dir: Path) -> None:
    answer = await status(tokenizer_dir, OURS, {"X": "y" * 20_000})
    assert (answer.status_code, answer.headers["connection"]) == (431, "close")


def pieces(count: int) -> Iterator[bytes]:
    yield b'{"messages": "'
    for _ in range(count):
        yield b"a" * 2**16
    yield b'"}'


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_too_long(tokenizer_dir: Path, declared: bool) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces(20):
            yield piece

    content: Any = b"".join(pieces(20)) if declared else stream()
    answer = await status(tokenizer_dir, OURS, {"Content-Type": "application/json"}, content=content)
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert f"longer than {most_bytes(100)} bytes" in answer.json()["error"]["message"]


def test_a_body_may_fill_the_context() -> None:
    assert most_bytes(2048) == 2**20
    assert most_bytes(131_072) == 4 * 2**20


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost.", "::1"])
def test_nobody_is_warned_of_loopback(host: str) -> None:
    assert warning_of(ServerSettings(host=host)) == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gpu-3"])
def test_other_addresses_are_warned_of(host: str) -> None:
    assert f"listening on {host}" in warning_of(ServerSettings(host=host))
