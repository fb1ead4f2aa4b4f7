"""A disk that fills up in mid-search: one clear line, and after space is back the same command pays nothing twice."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM
from search_support import Command

from pdr_dspy.command.guarded import REFUSED

LOAD = 4
SMALL = ("--budget", "tokens=4k", "--problems", 4, "--report-problems", 4, "--front", 2, "--trials", 3, "--study", "s")


@pytest.mark.parametrize("room", [3_000, 12_000])
def test_a_disk_that_fills_up(
    command: Command,
    model: FakeVLLM,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    room: int,
) -> None:
    arguments = (*SMALL, "--endpoint", model.url, "--data", data, "--jobs", 1, "--load", LOAD)
    left, write = [room], os.write

    def filling(file: int, content: bytes) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(file, content[: left[0]])
        left[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr("pdr_dspy.disk.os.write", filling)
        assert command("search", *arguments) == REFUSED
    err = capsys.readouterr().err
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith("error: disk: ") and str(tmp_path / "runs" / "s") in last
    assert "Free space there; what is done is kept, and the same command goes on" in last

    assert command("search", *arguments) == 0
    assert json.loads((tmp_path / "runs" / "s" / "front.json").read_text())["rows"]
    asked = Counter(json.dumps(call.body, sort_keys=True) for call in model.calls if call.completion_tokens)
    again = [body for body, times in asked.items() if times > 1]
    assert len(again) <= LOAD and max(asked.values()) <= 2  # what was in flight when the disk was full
