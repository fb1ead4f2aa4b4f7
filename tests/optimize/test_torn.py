"""A journal that was cut, garbled or zeroed loses its torn end alone; damage in its middle is told, with the mend."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM
from search_support import Command

from optimize.objectives.front import Point
from optimize.space.fitting import make_space
from optimize.study.state import JOURNAL, StateDir
from optimize.study.storages import open_storage
from optimize.study.study import Study
from pdr_dspy.budget import parse_budget
from pdr_dspy.command.guarded import REFUSED, guarded
from pdr_dspy.errors import DiskError, InputError

SPACE = make_space(parse_budget("tokens=16k"), 2048)


def opened(directory: Path, url: str | None = None) -> Study:
    return Study(open_storage(url, directory), "s", SPACE, {"space": SPACE.fingerprint()}, seed=0, owner="here")


def finish(study: Study, count: int) -> None:
    while len(study.complete) < count:
        suggestion = study.ask()
        study.tell(suggestion, Point(0.1 + suggestion.number / 100, 1.0), overrun=-1.0, attrs={})


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The journal of a study of six trials."""
    directory = tmp_path_factory.mktemp("whole")
    finish(opened(directory), 6)
    return (directory / JOURNAL).read_bytes()


@pytest.mark.parametrize("seed", range(15))
def test_a_torn_end_costs_what_it_held(journal: bytes, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    at = dice.randrange(len(journal))
    end = dice.choice([b"", b"\0" * 300, b"\0" * 90 + b"\n", dice.randbytes(60).replace(b"\n", b"x") + b"\n"])
    (tmp_path / JOURNAL).write_bytes(journal[:at] + end)
    study = opened(tmp_path)
    before = len(study.complete)
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / JOURNAL).write_bytes(journal[: journal.rfind(b"\n", 0, at) + 1])
    assert before == len(opened(whole).complete)
    finish(study, before + 2)
    assert len(opened(tmp_path).complete) == before + 2
    assert all(json.loads(line) for line in (tmp_path / JOURNAL).read_bytes().splitlines())


@pytest.mark.parametrize("url", [False, True])
def test_a_torn_end_does_not_grow_into_the_next_line(journal: bytes, tmp_path: Path, url: bool) -> None:
    path = tmp_path / ("elsewhere.log" if url else JOURNAL)
    path.write_bytes(journal + b'{"op_code": 4, "wor')
    finish(opened(tmp_path, str(path) if url else None), 7)
    assert len(opened(tmp_path, str(path) if url else None).complete) == 7


DEEP = b"[" * 200_000 + b"\n"
SPOILT = {
    "zeros": b"\0" * 40,
    "no entry": b"{}\n",
    "nothing": b"\n",
    "torn": b'{"op_code": 4, "wor{"op_code": 4, "x": 1}\n',
    "deep": DEEP,
    "deep entry": b'{"op_code": 4, "x": ' + DEEP,
    "digits": b"9" * 5000 + b"\n",
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=list(SPOILT))
def test_a_damaged_middle_is_told_and_the_mend_works(journal: bytes, tmp_path: Path, spoilt: bytes) -> None:
    lines = journal.splitlines(keepends=True)
    at = len(lines) // 2
    path = tmp_path / JOURNAL
    path.write_bytes(b"".join([*lines[:at], spoilt, *lines[at:]]))
    with pytest.raises(InputError) as caught:
        opened(tmp_path)
    assert f"line {at + 1} of {path}" in caught.value.problem
    command = caught.value.mend.split("(", 1)[1].split(")", 1)[0]
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    study = opened(tmp_path)
    assert 0 < len(study.complete) < 6
    finish(study, 6)


@pytest.mark.parametrize("whole", [True, False])
def test_an_end_that_is_nested_without_end_is_dropped(journal: bytes, tmp_path: Path, whole: bool) -> None:
    (tmp_path / JOURNAL).write_bytes(journal + (DEEP if whole else DEEP[:-1]))
    finish(opened(tmp_path), 7)
    assert len(opened(tmp_path).complete) == 7


def test_lines_that_make_no_sense_are_told(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text('{"op_code":0,"worker_id":"x"}\n{"op_code":99,"worker_id":"x"}\n')
    with pytest.raises(InputError, match="damaged"):
        opened(tmp_path)


def test_a_full_disk_is_told_and_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = opened(tmp_path)
    finish(study, 3)
    suggestion = study.ask()
    before, write = (tmp_path / JOURNAL).read_bytes(), os.write
    room = [20]

    def full(file: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data[: room.pop()])

    monkeypatch.setattr("pdr_dspy.disk.os.write", full)
    for _ in range(2):
        with pytest.raises(DiskError, match="space"):
            study.tell(suggestion, Point(0.5, 1.0), overrun=-1.0, attrs={})
        assert (tmp_path / JOURNAL).read_bytes() == before
    monkeypatch.undo()
    finish(opened(tmp_path), 4)
    assert len(opened(tmp_path).complete) == 4


def test_a_directory_that_can_not_be_held_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match="file"):
        StateDir(tmp_path / "file" / "s")


def test_a_full_disk_that_nobody_foresaw_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")

    assert guarded(main) == REFUSED
    assert (
        capsys.readouterr().err
        == "error: disk: No space left on device (/tmp/x). Free space; the same command goes on\n"
    )


SMALL = (
    "--budget",
    "tokens=4k",
    "--problems",
    "6",
    "--report-problems",
    "6",
    "--front",
    "2",
    "--latency",
    "tokens",
    "--study",
    "s",
)


@pytest.mark.slow
def test_any_file_of_a_finished_study_may_be_spoilt(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (*SMALL, "--endpoint", model.url, "--data", data, "--trials", 3, "--jobs", 1)
    assert command("search", *arguments) == 0
    directory, dice = tmp_path / "runs" / "s", random.Random(0)
    told = json.loads((directory / "front.json").read_text())
    whole = tmp_path / "whole"
    shutil.copytree(directory, whole)
    paid = len(model.calls)
    for path in sorted(p for p in whole.rglob("*") if p.is_file()):
        shutil.rmtree(directory)
        shutil.copytree(whole, directory)
        spoilt, content = directory / path.relative_to(whole), path.read_bytes()
        end = dice.randrange(len(content)) if content else 0
        lines = content[:end].count(b"\n")
        spoilt.write_bytes(content[:end] + dice.choice([b"", b"\0" * (len(content) - end)]))
        before = len(model.calls)
        assert command("search", *arguments) == 0, path
        again = json.loads((directory / "front.json").read_text())
        assert [(r["name"], r["search"] and r["search"]["accuracy"]) for r in again["rows"]] == [
            (r["name"], r["search"] and r["search"]["accuracy"]) for r in told["rows"]
        ]
        # A completion that is gone is paid for again, once; nothing else is.
        assert len(model.calls) - before <= (content.count(b"\n") - lines if path.parent.name == "store" else 0)
    assert len(model.calls) > paid
    assert "Traceback" not in capsys.readouterr().err


def test_a_spoilt_report_is_told_to_who_reads_it(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("search", *SMALL, "--endpoint", model.url, "--data", data, "--trials", 3) == 0
    front = tmp_path / "runs" / "s" / "front.json"
    whole = front.read_bytes()
    for spoilt in (
        whole[: len(whole) // 2], b"\0" * len(whole), b"[]", b"{}", b"[" * 200_000, b'{"rows":' * 200_000, b"9" * 5000
    ):  # fmt: skip
        front.write_bytes(spoilt)
        assert command("report", "s") == REFUSED
        assert "front.json can't be read" in capsys.readouterr().err
    front.write_bytes(whole)
    assert command("report", "s") == 0
