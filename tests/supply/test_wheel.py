"""The wheel holds what is promised, and works where the repository is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import setuptools
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
FOLDERS = ("pdr_dspy", "optimize", "programs")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `pip wheel --no-deps` builds it, from what is in the repository."""
    if Version(setuptools.__version__) < Version("77"):
        pytest.skip(f"setuptools {setuptools.__version__} is older than the lock's: pip install -r requirements.txt")
    folder = tmp_path_factory.mktemp("source")
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        ".",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what pip would put into site-packages."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(folder)
    return folder


def started(source: str, installed: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(installed), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, "-c", source],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_holds_the_packages_and_their_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
        (entry,) = (name for name in opened.namelist() if name.endswith(".dist-info/entry_points.txt"))
        assert "pdr = pdr_dspy.command:main" in opened.read(entry).decode()
    modules = {
        path.relative_to(ROOT).as_posix()
        for folder in ("pdr_dspy", "optimize")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert modules <= held
    assert {name.partition("/")[0] for name in held} == {"pdr_dspy", "optimize"}
    presets = {
        f"pdr_dspy/programs/{path.name}" for kind in ("yaml", "json") for path in (ROOT / "programs").glob(f"*.{kind}")
    }
    assert {name for name in held if name.startswith("pdr_dspy/programs/")} == presets
    assert {"pdr_dspy/py.typed", "pdr_dspy/prompts/draft.yaml", "pdr_dspy/embedded/weights/tokenizer.json"} <= held


def test_its_programs_run_elsewhere(installed: Path, tmp_path: Path) -> None:
    ran = started(
        """
import dspy, pdr_dspy, sys
from fakes.stages import by_stage
from fakes.vllm import FakeVLLM
from pdr_dspy import PDR, connect, preset_names
import optimize.search
print(pdr_dspy.__file__)
print(*preset_names())
with FakeVLLM(answer=by_stage, context=32768) as server, connect(server.url) as lm, dspy.context(lm=lm):
    print(PDR("question -> answer")(question="x").answer)
""",
        installed,
        tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    where, presets, answer = ran.stdout.splitlines()
    assert Path(where).is_relative_to(installed)
    assert presets.split() == sorted(path.stem for path in (ROOT / "programs").glob("*.yaml"))
    assert answer
