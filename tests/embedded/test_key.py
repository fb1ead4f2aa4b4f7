"""A server with a key answers those who have it; the key is nowhere that other users can see it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pdr_dspy.embedded import EmbeddedReasoner, start
from pdr_dspy.embedded.__main__ import main
from pdr_dspy.embedded.access import Access
from pdr_dspy.embedded.serve import ServerSettings, warning_of
from pdr_dspy.embedded.server_key import KEY_VARIABLE, made_up, read_key
from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.errors import EndpointError

from .support import CHAT, GOOD, served

KEY = "canary-7Qx"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"Bearer {KEY}", 200),
        (f"bearer  {KEY} ", 200),
        (f"Bearer {KEY}x", 401),
        ("Bearer ", 401),
        (KEY, 401),
        (f"Basic {KEY}", 401),
        ("Bearer \xff", 401),
        (None, 401),
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/metrics", "/version", "/nothing"])
async def test_the_key_is_asked_for(tokenizer_dir: Path, said: str | None, expected: int, path: str) -> None:
    async with served(tokenizer_dir, Access(KEY)) as (client, _):
        headers = {} if said is None else {"Authorization": said.encode("latin-1")}
        answer = await (
            client.post(path, json=GOOD, headers=headers) if path == CHAT else client.get(path, headers=headers)
        )
        assert answer.status_code == (404 if path == "/nothing" and expected == 200 else expected)
        if expected == 401:
            assert answer.headers["www-authenticate"] == "Bearer" and KEY not in answer.text
        assert (await client.get("/health")).status_code == 200


def test_settings_do_not_show_it() -> None:
    assert KEY not in repr(ServerSettings(api_key=KEY)) + repr(Access(KEY))
    assert KEY not in warning_of(ServerSettings(host="0.0.0.0", api_key=KEY))
    assert KEY_VARIABLE in warning_of(ServerSettings(host="0.0.0.0"))


def test_where_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_key(None) == ""
    monkeypatch.setenv(KEY_VARIABLE, f"{KEY}\n")
    assert read_key(None) == KEY and KEY_VARIABLE not in os.environ
    (file := tmp_path / "key").write_text("other\n")
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert read_key(file) == "other" and KEY_VARIABLE not in os.environ


@pytest.mark.parametrize("held", ["two words", "caf\u00e9", "", "a\nb"])
def test_a_file_without_a_key(tmp_path: Path, held: str) -> None:
    (file := tmp_path / "key").write_text(held, encoding="utf-8")
    with pytest.raises(EndpointError) as refused:
        read_key(file)
    assert not held or held not in str(refused.value)
    with pytest.raises(EndpointError, match="FileNotFoundError"):
        read_key(tmp_path / "none")


@pytest.mark.parametrize("given", [["--api-key", KEY], [f"--api-key={KEY}"]])
def test_a_command_line_is_no_place_for_it(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(given)
    said = capsys.readouterr().err
    assert "--api-key-file" in said and KEY not in said


@pytest.fixture(scope="module")
def locked(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedReasoner]:
    with start(weights=weights, log_path=tmp_path_factory.mktemp("key") / "log", api_key=made_up()) as running:
        yield running


@pytest.mark.embedded
def test_a_server_started_with_a_key_wants_it(locked: EmbeddedReasoner) -> None:
    assert locked.api_key == made_up() and len(locked.api_key) >= 32
    with httpx.Client(base_url=locked.base_url, trust_env=False) as http:
        assert http.get("/models").status_code == 401
        assert http.get("/models", headers=locked.headers).status_code == 200
    settings = EndpointSettings(urls=(locked.base_url,), api_key=locked.api_key)  # type: ignore[arg-type]
    with Endpoint.open(settings) as endpoint:
        assert endpoint.context is not None
    with pytest.raises(EndpointError, match="key"):
        Endpoint.open(EndpointSettings(urls=(locked.base_url,), api_key="wrong-one"))  # type: ignore[arg-type]


@pytest.mark.embedded
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_no_other_user_sees_it(locked: EmbeddedReasoner) -> None:
    tasks = Path(f"/proc/{locked.pid}/task").iterdir()
    children = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    assert children
    for pid in (locked.pid, *children):
        assert locked.api_key.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    for pid in children:
        assert locked.api_key.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert locked.api_key not in locked.log_path.read_text()
    assert locked.api_key not in repr(locked)
