"""Half-written lines are taken back, damaged ones cost themselves alone; on a full disk nothing more is paid for."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM

from pdr_dspy.disk import append_whole, write_whole
from pdr_dspy.endpoint import FileAllowance, FileStore, StoredCompletion
from pdr_dspy.errors import DiskError

from .support import call, open_endpoint, outcome

ONE = StoredCompletion({"choices": [], "text": "é🙂" * 40}, 1.5, None, 10.0, 20, "http://h/v1")


class Disk:
    """`os.write` to a disk with so many bytes left; None: enough."""

    def __init__(self) -> None:
        self.left: int | None = None
        self._write = os.write

    def write(self, file: int, data: bytes) -> int:
        """As `os.write`; a part of the data where the room ends within it."""
        if self.left is None or file <= 2:
            return self._write(file, data)
        if self.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(file, data[: self.left])
        self.left -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A disk that can be filled up."""
    made = Disk()
    monkeypatch.setattr("pdr_dspy.disk.os.write", made.write)
    yield made


@pytest.mark.parametrize("room", [0, 1, 50, 200])
def test_a_store_on_a_full_disk_says_so_and_loses_nothing_when_there_is_room_again(
    tmp_path: Path, disk: Disk, room: int
) -> None:
    store = FileStore(tmp_path)
    store.put("before", ONE)
    disk.left = room
    with pytest.raises(DiskError) as caught:
        store.put("lost", ONE)
    assert str(tmp_path) in caught.value.problem and "space" in caught.value.mend
    assert store.get("lost") is None
    disk.left = None
    store.put("lost", ONE)
    store.put("after", ONE)
    again = FileStore(tmp_path)
    assert [again.get(key) for key in ("before", "lost", "after")] == [ONE] * 3
    assert (again.report.torn, again.report.damaged) == (0, 0)


@pytest.mark.parametrize("room", [0, 1, 9])
def test_an_allowance_on_a_full_disk_lets_nothing_go_and_counts_right_afterwards(
    tmp_path: Path, disk: Disk, room: int
) -> None:
    allowance = FileAllowance(tmp_path, 1000)
    held = allowance.hold(100)
    assert held is not None
    disk.left = room
    with pytest.raises(DiskError, match="space"):
        allowance.hold(50)
    allowance.settle(held, 30)  # what was generated can't be written down: all of it counts
    assert allowance.spent == FileAllowance(tmp_path).spent == 100
    disk.left = None
    other = allowance.hold(200)
    assert other is not None
    allowance.settle(other, 7)
    assert allowance.spent == FileAllowance(tmp_path).spent == 107


def test_what_can_not_be_kept_is_used_once_and_nothing_else_is_paid_for(
    fake_vllm: FakeVLLM, tmp_path: Path, disk: Disk
) -> None:
    with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
        call(endpoint, "kept")
        disk.left = 10
        assert call(endpoint, "paid") == ["ok"]  # the answer is there: it is not thrown away
        assert isinstance(outcome(endpoint, "next"), DiskError)
        assert call(endpoint, "kept") == ["ok"]  # replayed
        assert len(fake_vllm.calls) == 2
        disk.left = None
        call(endpoint, "next")
    assert len(fake_vllm.calls) == 3
    with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
        for text in ("kept", "paid", "next"):
            call(endpoint, text)
    assert len(fake_vllm.calls) == 3


def test_what_could_not_be_kept_is_kept_at_the_end(fake_vllm: FakeVLLM, tmp_path: Path, disk: Disk) -> None:
    with open_endpoint(fake_vllm, store=FileStore(tmp_path)) as endpoint:
        disk.left = 0
        call(endpoint, "last")
        disk.left = None
    assert len(FileStore(tmp_path)) == 1


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_whole(tmp_path / "a" / "x.json", "old")

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pdr_dspy.disk.os.fsync", full)
    with pytest.raises(DiskError, match=r"x\.json"):
        write_whole(path, b"new")
    assert path.read_text() == "old" and list(path.parent.iterdir()) == [path]


def test_an_append_that_fails_leaves_nothing(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "f"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    assert (append_whole(file, b"one\n"), append_whole(file, b"two\n")) == (0, 4)
    disk.left = 3
    with pytest.raises(OSError):
        append_whole(file, b"three\n")
    disk.left = None
    assert append_whole(file, b"four\n") == 8
    os.close(file)
    assert path.read_bytes() == b"one\ntwo\nfour\n"


def spoil(data: bytes, dice: random.Random) -> bytes:
    """What a power cut makes of a file's end, or a bad sector of its middle."""
    at = dice.randrange(len(data))
    length = dice.randint(1, 80)
    return dice.choice(
        [
            data[:at],
            data[:at] + b"\0" * (len(data) - at),
            data[:at] + b"\0" * length + data[at + length :],
            data[:at] + dice.randbytes(length) + data[at + length :],
            data[:at] + data[at + length :],  # half a line, and another one behind it
        ]
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_spoilt_store_loses_what_was_spoilt_alone(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    store = FileStore(tmp_path)
    for i in range(8):
        store.put(str(i), ONE)
    store.close()
    (segment,) = tmp_path.iterdir()
    whole = segment.read_bytes()
    segment.write_bytes(spoil(whole, dice))
    again = FileStore(tmp_path)
    left = {str(i) for i in range(8) if again.get(str(i)) == ONE}
    assert len(left) == len(again) or segment.read_bytes().count(b"\n") > len(left)
    intact = {str(i) for i, line in enumerate(whole.splitlines(keepends=True)) if line in segment.read_bytes()}
    assert left == intact
    for i in range(8):
        again.put(str(i), ONE)
    assert {i for i in range(8) if FileStore(tmp_path).get(str(i)) is not None} == set(range(8))


@pytest.mark.parametrize("seed", range(40))
def test_a_spoilt_allowance_is_counted_as_far_as_it_can_be_read(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    allowance = FileAllowance(tmp_path, 10_000)
    for tokens in range(100, 900, 100):
        held = allowance.hold(tokens)
        assert held is not None
        allowance.settle(held, tokens // 2)
    allowance.close()
    (segment,) = tmp_path.glob("*.spend")
    whole = segment.read_bytes()
    segment.write_bytes(spoil(whole, dice))
    again = FileAllowance(tmp_path, 10_000)
    kept = [line for line in whole.splitlines() if line in segment.read_bytes().split(b"\n")[:-1]]
    booked = sum(int(line.split()[1]) for line in kept if line.startswith(b"-"))
    assert again.spent >= booked
    held = again.hold(10)
    assert held is not None
    again.settle(held, 3)
    assert FileAllowance(tmp_path).spent == again.spent


@pytest.mark.parametrize("spoilt", [b"\0\0\0\n", b"+1234 5-", b"\xff\n", b"+12 \n"])
def test_a_spoilt_line_of_an_allowance_is_told(tmp_path: Path, spoilt: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "x.spend").write_bytes(b"+aa 100\n-aa 30\n" + spoilt + b"+bb 50\n")
    assert FileAllowance(tmp_path).spent == 80
    assert "can't be read" in caplog.text
