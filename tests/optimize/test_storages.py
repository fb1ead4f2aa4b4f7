"""What is wrong with a storage is said before anything is asked or made, in seconds, without its address."""

from __future__ import annotations

import socket
import sqlite3
import time
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM
from search_support import Command

from optimize.engine.read_study import read_page
from optimize.study.storages import check_storage, open_storage, present_storage
from pdr_dspy.databases import PATIENCE, patience
from pdr_dspy.errors import InputError

FORGETFUL = (
    "sqlite://",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite+pysqlite:///:memory:",
    "sqlite:///file::memory:?cache=shared&uri=true",
    "sqlite:///file:x?mode=memory&uri=true",
    "file::memory:",
    ":memory:",
)
NO_ADDRESS = ("sqlite:/s.db", "sqlite:s.db", "postgresql:me@host/x", "postgresql+psycopg:/x", "redis:x", "", " ")


@pytest.mark.parametrize("url", FORGETFUL)
@pytest.mark.parametrize("command_", ["search", "report"])
def test_a_study_that_would_be_forgotten_is_refused(
    command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str], command_: str, url: str
) -> None:
    search = ("--budget", "tokens=4k", "--endpoint", model.url, "--data", data)
    assert command(command_, *(search if command_ == "search" else ["s"]), "--storage", url) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: storage: it is in memory") and "sqlite:///search.db" in said
    assert model.calls == []


@pytest.mark.parametrize("url", NO_ADDRESS)
def test_what_is_no_address_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    for refuses in (check_storage, lambda url: open_storage(url, tmp_path), lambda url: present_storage(url, tmp_path)):
        with pytest.raises(InputError, match="no address of a database"):
            refuses(url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["s.log", "./a b%20#?.log", "a:b.log", "größe/数学.log", "C:x.log"])
def test_any_other_name_is_a_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    open_storage(url, tmp_path).create_new_study([], "s")
    assert (tmp_path / url).is_file()
    opened = present_storage(url, tmp_path)
    assert opened is not None and [study.study_name for study in opened.get_all_studies()] == ["s"]


@pytest.mark.parametrize("name", ["a b", "a#b", "größe 数学", "a'b", "50%", "a@b"])
def test_a_database_may_have_any_name_that_an_address_can_hold(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    url = f"sqlite:///{tmp_path / name / 's.db'}"
    assert present_storage(url, tmp_path) is None
    open_storage(url, tmp_path)
    assert [path.relative_to(tmp_path).parts for path in tmp_path.rglob("*.db")] == [(name, "s.db")]
    assert present_storage(url, tmp_path) is not None


def test_a_report_makes_no_storage(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/typo.db", str(tmp_path / "typo.log")):
        with pytest.raises(InputError, match="nothing is there"):
            read_page("s", tmp_path, url)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        began = time.monotonic()
        with pytest.raises(InputError, match="can't be opened") as error:
            open_storage(f"postgresql://me:pa55word@127.0.0.1:{listening.getsockname()[1]}/x", tmp_path)
        assert time.monotonic() - began < 60 and "pa55word" not in str(error.value)


def test_a_database_that_another_program_writes_to_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optimize.study.storages._LOCKED", 0.1)
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(InputError, match="Another program is writing to it"):
        open_storage(f"sqlite:///{tmp_path}/s.db", tmp_path)
    other.close()


def test_how_long_to_wait_for_a_database_is_the_users_where_they_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
    assert patience("postgresql+psycopg://host/x") == {"connect_timeout": PATIENCE}
    assert patience("postgresql+psycopg://host/x?connect_timeout=60") == {}
    assert patience("sqlite:///x.db") == {}
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "60")
    assert patience("postgresql+psycopg://host/x") == {}
