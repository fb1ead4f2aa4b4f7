"""What is in a store and is no completion is put aside, said once and asked for again; no study ends of it."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.vllm import FakeVLLM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdr_dspy.endpoint import FileStore, StoredCompletion
from pdr_dspy.endpoint.rejected import Rejected
from pdr_dspy.endpoint.segments import completion_in, record
from pdr_dspy.errors import DiskError, InputError

from .support import open_endpoint, recorded

ONE = StoredCompletion({"choices": []}, 1.5, None, 10.0, 20, "http://h/v1")
NAN = float("nan")

EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "the body is a text": lambda c: c.update(body="x"),
    "the body is empty": lambda c: c.update(body={}),
    "the body is missing": lambda c: c.pop("body"),
    "seconds are a text": lambda c: c.update(seconds="x"),
    "seconds are negative": lambda c: c.update(seconds=-1e9),
    "seconds are no number": lambda c: c.update(seconds=NAN),
    "seconds without end": lambda c: c.update(seconds=1e300),
    "a first token without end": lambda c: c.update(first_token_seconds=1e9),
    "started after all": lambda c: c.update(started=1e30),
    "a cap beyond all": lambda c: c.update(max_tokens=10**30),
    "a usage beyond all": lambda c: c["body"]["usage"].update(completion_tokens=1e30),
    "a prompt beyond all": lambda c: c["body"]["usage"].update(prompt_tokens=10**400),
    "a total beyond all": lambda c: c["body"]["usage"].update(total_tokens=10**30),
    "started is a list": lambda c: c.update(started=[1]),
    "the cap is negative": lambda c: c.update(max_tokens=-1),
    "the replica is a number": lambda c: c.update(replica=1),
    "a negative usage": lambda c: c["body"].update(usage={"prompt_tokens": -5, "completion_tokens": -7}),
    "a nested usage": lambda c: c["body"].update(usage={"prompt_tokens": {"a": 1}, "completion_tokens": [1]}),
    "no choice": lambda c: c["body"].update(choices=[]),
    "deep": lambda c: c["body"].update(x=nested(500)),
}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def rejections(store: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in (store / "rejected").glob("*.jsonl") for line in file.open()]


def lines(store: Path) -> list[str]:
    return [line for file in sorted(store.glob("*.jsonl")) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edited_record_is_put_aside_and_asked_for_once(
    fake_vllm: FakeVLLM, tmp_path: Path, edit: Callable[[dict[str, Any]], object]
) -> None:
    with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
        recorded(endpoint)
    (file,) = tmp_path.glob("*.jsonl")
    record = json.loads(file.read_text())
    del record["sum"]  # as records of earlier versions
    edit(record["completion"])
    file.write_text(json.dumps(record) + "\n")
    for requests in (2, 2, 2):
        with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
            assert recorded(endpoint)[0] == ["ok"]
        assert len(fake_vllm.calls) == requests
    (aside,) = rejections(tmp_path)
    assert (aside["segment"], aside["offset"]) == (file.name, 0) and aside["why"]
    assert json.loads(aside["record"])["key"] == record["key"]
    assert json.loads(file.read_text())["key"] == record["key"]  # nothing is taken out of a segment


def test_an_edited_answer_that_is_well_formed_is_put_aside(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    fake_vllm.answer = lambda call: "4"
    with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
        recorded(endpoint)
    (file,) = tmp_path.glob("*.jsonl")
    whole = file.read_text()
    assert '"content":"4"' in whole
    file.write_text(whole.replace('"content":"4"', '"content":"5"'))
    for _ in range(2):
        with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
            assert recorded(endpoint)[0] == ["4"]
        assert len(fake_vllm.calls) == 2
    (aside,) = rejections(tmp_path)
    assert "checksum" in aside["why"] and '"content":"5"' in aside["record"]


def test_a_record_without_a_checksum_is_read(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put("a", ONE)
    store.close()
    (file,) = tmp_path.glob("*.jsonl")
    record = json.loads(file.read_text())
    assert list(record) == ["key", "completion", "sum"]
    del record["sum"]
    file.write_text(json.dumps(record) + "\n")
    again = FileStore(tmp_path)
    assert again.get("a") == ONE and again.report.rejected == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.data())
def test_no_byte_of_a_record_can_change(data: st.DataObject) -> None:
    line = record("k", StoredCompletion({"choices": [{"message": {"content": "é 12"}}]}, 1.5, None, 10.0, 20, "r"))
    at = data.draw(st.integers(0, len(line) - 2))
    other = bytes([data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))])
    try:
        found = completion_in(line[:at] + other + line[at + 1 :], "k")
    except ValueError:
        return
    # What is not read as a checksum any more is an unknown field; everything before it must be what it was.
    assert found == completion_in(line, "k") and at >= line.index(b'"sum"')


def test_what_changes_under_a_reader_is_put_aside(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    for key in "abc":
        store.put(key, ONE)
    (file,) = tmp_path.glob("*.jsonl")
    text = file.read_text()
    file.write_text(text.replace('"a"', '"z"').replace("1.5", "NaN", 1))
    assert store.get("a") is None and store.get("b") == ONE
    file.unlink()
    assert store.get("c") is None
    assert [(r["key"], bool(r["why"])) for r in rejections(tmp_path)] == [("a", True), ("c", True)]


def test_the_next_of_a_key_takes_the_place_of_one_put_aside(tmp_path: Path) -> None:
    first, second = FileStore(tmp_path), FileStore(tmp_path)
    first.put("a", ONE)
    other = StoredCompletion({"n": 2}, 1.0, None, 0.0, 1, "r")
    second.put("a", other)
    both = FileStore(tmp_path)
    kept = {json.dumps(dict(both.get("a").body)) for _ in range(2) if both.get("a")}  # type: ignore[union-attr]
    both.reject("a", "no good")
    left = both.get("a")
    assert left is not None and json.dumps(dict(left.body)) not in kept
    both.reject("a", "neither")
    both.reject("a", "there is none")
    assert both.get("a") is None and both.report.rejected == 2
    assert FileStore(tmp_path).get("a") is None
    both.put("a", ONE)
    assert FileStore(tmp_path).get("a") == ONE


def test_a_line_of_another_program_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    foreign = ["[" * 100_000, "hello", "{}", "[1]", '{"key": 1, "completion": {}}', '{"key": "k", "completion": 7}', ""]
    (tmp_path / "x.jsonl").write_text("\n".join(foreign) + "\n")
    store = FileStore(tmp_path)
    store.put("k", ONE)
    assert (store.report.damaged, store.report.rejected) == (len(foreign), len(foreign))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        again = FileStore(tmp_path)
    assert again.get("k") == ONE and not caplog.records
    assert (again.report.damaged, again.report.rejected) == (0, len(foreign))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    junk=st.lists(
        st.binary(max_size=40)
        | st.recursive(st.none() | st.floats() | st.text(max_size=4), lambda x: st.lists(x, max_size=3)).map(
            lambda value: json.dumps({"key": value, "completion": value}).encode()
        ),
        max_size=5,
    )
)
def test_no_line_of_a_segment_is_more_than_a_line(tmp_path_factory: pytest.TempPathFactory, junk: list[bytes]) -> None:
    directory = tmp_path_factory.mktemp("store")
    store = FileStore(directory)
    store.put("k", ONE)
    store.close()
    good = next(directory.glob("*.jsonl")).read_bytes()
    (directory / "a.jsonl").write_bytes(b"\n".join([*junk, b""]) + good + b"\n".join(junk))
    for _ in range(2):
        assert FileStore(directory).get("k") == ONE


def test_what_is_no_file_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "nowhere.jsonl").symlink_to(tmp_path / "gone")
    (tmp_path / "circle.jsonl").symlink_to(tmp_path / "circle.jsonl")
    (tmp_path / "device.jsonl").symlink_to("/dev/zero")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = FileStore(elsewhere)
    kept.put("linked", ONE)
    (tmp_path / "linked.jsonl").symlink_to(next(elsewhere.glob("*.jsonl")))
    found: list[FileStore] = []
    with caplog.at_level(logging.WARNING):
        opening = threading.Thread(target=lambda: found.append(FileStore(tmp_path)), daemon=True)
        opening.start()
        opening.join(30)
    (store,) = found  # a pipe would have been waited for
    assert store.get("linked") == ONE and store.report.segments == 1
    for name in ("pipe", "folder", "nowhere", "circle", "device"):
        assert sum(f"{name}.jsonl" in message for message in caplog.messages) == 1
    store.refresh()
    assert sum("pipe.jsonl" in message for message in caplog.messages) == 1


def test_a_segment_that_may_not_be_read_is_the_users_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.jsonl").write_text("")
    real = Path.open

    def refused(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == "secret.jsonl":
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    store = FileStore(tmp_path / "other")
    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match=r"secret\.jsonl \(Permission denied\)"):
        FileStore(tmp_path)
    (tmp_path / "other" / "secret.jsonl").touch()  # a search under way goes on without it
    store.refresh()
    assert store.get("a") is None


@pytest.mark.parametrize("make", ["file", "pipe", "dangling"])
def test_a_store_that_is_no_directory_is_the_users_to_mend(tmp_path: Path, make: str) -> None:
    path = tmp_path / "store"
    {"file": path.touch, "pipe": lambda: os.mkfifo(path), "dangling": lambda: path.symlink_to("gone")}[make]()
    with pytest.raises(InputError, match="store"):
        FileStore(path)


def test_a_directory_that_goes_away_is_no_raw_error(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    (tmp_path / "store").rmdir()
    with pytest.raises(DiskError, match="store"):
        store.refresh()


def test_where_nothing_can_be_put_aside_it_is_passed_over_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "x.jsonl").write_text("junk\n")
    (tmp_path / "rejected").touch()  # as where nothing can be written
    with caplog.at_level(logging.WARNING):
        store = FileStore(tmp_path)
    store.put("a", ONE)
    store.reject("a", "no good")
    assert store.get("a") is None
    assert "can't be written" in caplog.text


def test_the_copy_of_a_huge_record_is_cut(tmp_path: Path) -> None:
    aside = Rejected(tmp_path)
    assert aside.add("x.jsonl", 7, "k", "huge", b"\x00" * 5_000_000)
    assert ("x.jsonl", 7) in Rejected(tmp_path)
    assert len(rejections(tmp_path)[0]["record"]) == 2**20


def test_a_damaged_rejection_costs_itself_alone(tmp_path: Path) -> None:
    aside = Rejected(tmp_path)
    aside.add("x.jsonl", 7, None, "no good", b"junk")
    for junk in ("[1]\n", "[" * 100_000 + "\n", "null\n", '{"segment": "y"}\n', '{"segment": "x.jsonl", "off'):
        (tmp_path / "rejected" / f"{len(junk)}.jsonl").write_text(junk)
    os.mkfifo(tmp_path / "rejected" / "pipe.jsonl")
    assert len(Rejected(tmp_path)) == 1
