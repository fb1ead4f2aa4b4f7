"""Nothing that what we start reads runs code: no pickle, whoever put it there, and nothing of its kind."""

from __future__ import annotations

import ast
import os
import pickle
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import dspy
import pytest
from diskcache.core import MODE_PICKLE
from fakes.vllm import FakeVLLM

ROOT = Path(__file__).resolve().parents[2]
OURS = [
    path for folder in ("pdr_dspy", "optimize", "experiments", "programs") for path in (ROOT / folder).rglob("*.py")
]

ASK = """
import dspy
dspy.LM("hosted_vllm/fake-model", api_base={url!r}, api_key="x", cache=True)("Who is there?")
"""
"""What a program of someone's asks through DSPy's cache."""

COMMAND = """
import sys
sys.argv = ["run.py", {workflow!r}, "--budget", "tokens=1k", "--endpoint", {url!r}, "--data", "two.jsonl"]
from optimize import run
assert run.main() == 0
"""


class Planted:
    """Once unpickled, it has been here."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def dspys_cache() -> Iterator[None]:
    """Whatever a test makes of DSPy's cache, it is then what it was."""
    before = dspy.cache
    yield
    dspy.cache = before


def plant(folder: Path, mark: Path) -> None:
    """Put a pickle in the place of every entry of a cache."""
    for shard in folder.glob("*/cache.db"):
        with sqlite3.connect(shard) as opened:
            said = pickle.dumps(Planted(mark))
            opened.execute("UPDATE Cache SET mode = ?, value = ?, filename = NULL", (MODE_PICKLE, said))
        opened.close()


def started(source: str, cwd: Path, home: Path) -> str:
    """What a program writes to stderr that runs in a folder of its own."""
    (cwd / "two.jsonl").write_text(
        "".join(f'{{"problem": "say {n}", "answer": "{n}"}}\n' for n in range(40)), encoding="utf-8"
    )
    own = {name: value for name, value in os.environ.items() if name != "DSPY_CACHEDIR" and "XDG" not in name}
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        cwd=cwd,
        env={**own, "HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stderr


def test_a_pickle_in_dspys_cache_is_not_executed(dspys_cache: None, fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    home, mark = tmp_path / "home", tmp_path / "executed"
    ask = ASK.format(url=fake_vllm.url)
    dspy.configure_cache(disk_cache_dir=str(home / ".dspy_cache"))
    exec(ask)
    plant(home / ".dspy_cache", mark)
    dspy.configure_cache(disk_cache_dir=str(home / ".dspy_cache"))
    exec(ask)
    assert mark.exists(), "what is planted is executed where the cache is read"
    mark.unlink()
    plant(home / ".dspy_cache", mark)  # the answer that came was put in its place

    workflow = str(ROOT / "programs" / "long_cot.yaml")
    started(COMMAND.format(url=fake_vllm.url, workflow=workflow) + ask, tmp_path, home)
    assert not mark.exists()


def test_a_home_that_is_no_folder_does_no_harm(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    (home := tmp_path / "home").write_text("no folder", encoding="utf-8")
    workflow = str(ROOT / "programs" / "long_cot.yaml")
    said = started(COMMAND.format(url=fake_vllm.url, workflow=workflow), tmp_path, home)
    assert "cache" not in said
    assert not list(tmp_path.rglob(".dspy_cache"))


def test_importing_the_library_leaves_the_cache_as_it_is(fake_vllm: FakeVLLM, tmp_path: Path) -> None:
    source = f"""
    import dspy
    dspy.configure_cache(disk_cache_dir="mine", restrict_pickle=True)
    mine = dspy.cache
    from pdr_dspy.endpoint import connect
    from pdr_dspy.modules import PDR
    import pdr_dspy.evaluation
    with connect({fake_vllm.url!r}) as endpoint:
        endpoint.lm("Who is there?")
    assert dspy.cache is mine and mine.enable_disk_cache
    """
    started(source, tmp_path, tmp_path)


def test_every_command_that_opens_an_endpoint_turns_the_cache_off() -> None:
    opening = []
    for path in OURS:
        if path.is_relative_to(ROOT / "pdr_dspy"):
            continue
        names = [node.id for node in ast.walk(parsed(path)) if isinstance(node, ast.Name)]
        calls = [ast.unparse(node) for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute)]
        if "Endpoint.open" in calls or "connect" in names:
            opening.append(path)
            assert "disable_cache" in names, path
    assert opening


LOADERS = {
    *(f"{module}.{name}" for module in ("pickle", "cloudpickle", "dill", "marshal") for name in ("load", "loads")),
    *(f"yaml.{name}" for name in ("load", "unsafe_load", "full_load", "load_all", "unsafe_load_all", "full_load_all")),
    *("joblib.load", "shelve.open", "pandas.read_pickle", "pickle.Unpickler", "dspy.load", "mlflow.pyfunc.load_model"),
}
ALLOWING = {"allow_pickle", "allow_unsafe_lm_state", "trust_remote_code"}


def test_nothing_is_loaded_that_may_run_code() -> None:
    found = []
    for path in OURS:
        for call in (node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            given = {each.arg: ast.unparse(each.value) for each in call.keywords}
            unsafe = name == "torch.load" and given.get("weights_only") != "True"
            # What a caller allows may be passed on, under its name.
            if name in LOADERS or unsafe or any(given.get(each, "False") not in ("False", each) for each in ALLOWING):
                found.append(f"{path}:{call.lineno}: {ast.unparse(call)}")
    assert not found


def parsed(path: Path) -> ast.Module:
    """A module's tree."""
    return ast.parse(path.read_text(encoding="utf-8"))
