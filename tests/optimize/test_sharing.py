"""What workers share: a directory that says who is alive, a storage whose password stays with it, copied drafts."""

from __future__ import annotations

import platform
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from search_support import held_elsewhere

from optimize.study.state import StateDir
from optimize.study.storages import open_storage
from pdr_dspy.endpoint import FileStore
from pdr_dspy.endpoint.store import StoredCompletion
from pdr_dspy.errors import InputError
from pdr_dspy.secrets.credentials import without_password


def test_a_worker_that_died_here_is_known_at_once_and_a_living_one_is_not(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path, shared=True) as worker:
        name = f"{platform.node()}:{worker}"
        state = StateDir(tmp_path, shared=True)
        assert not state.ended(name) and not state.ended(f"{platform.node()}:{state.worker}")
        with pytest.raises(InputError, match="another process"):
            StateDir(tmp_path)  # a search of one process does not come between
    assert state.ended(name)
    assert not state.ended(f"elsewhere:{worker}") and not state.ended(f"{platform.node()}:1-abc")
    assert StateDir(tmp_path, shared=True).identity == state.identity
    state.close()


def test_a_directory_has_one_name_also_while_it_is_being_written(tmp_path: Path) -> None:
    (tmp_path / "id").touch()  # another worker was killed there, or has not got further yet
    states = [StateDir(tmp_path, shared=True) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        names = set(pool.map(lambda state: state.identity, states))
    assert len(names) == 1 and "" not in names
    for state in states:
        state.close()


def test_a_draft_that_was_copied_into_the_store_is_not_paid_again(tmp_path: Path) -> None:
    here, there = FileStore(tmp_path / "here"), FileStore(tmp_path / "there")
    for name, store in (("a", here), ("b", there), ("both", here), ("both", there)):
        store.put(name, StoredCompletion({"text": name}, 1.5, None, 10.0, 20, "http://h/v1"))
    for segment in (tmp_path / "there").glob("*.jsonl"):
        shutil.copy(segment, tmp_path / "here")
    here.refresh()
    assert [found.body["text"] for found in map(here.get, ("a", "b", "both")) if found] == ["a", "b", "both"]
    assert len(here) == 3


def test_a_driver_that_is_not_there_is_told_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match="pip install") as caught:
        open_storage("postgresql://me:hunter2@host/db", tmp_path)
    assert "psycopg" in str(caught.value) and "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("--storage=postgresql://me:s3:c r/e@t@host/db", "--storage=postgresql://me:***@host/db"),
        ("postgresql://host/db?user=me&password=x%40y&port=1", "postgresql://host/db?user=me&password=***&port=1"),
        ("http://host:8000/v1", "http://host:8000/v1"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_passwords_are_not_repeated(text: str, masked: str) -> None:
    assert without_password(text) == masked
