"""What the two commands install is pinned with hashes, and the pins fit what `pyproject.toml` asks for."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pins(name: str) -> dict[str, str]:
    """The pins of a lock, by name, each with all that is said of it; nothing else may be in a lock."""
    text = re.sub(r"\s*#.*", "", (ROOT / name).read_text(encoding="utf-8")).replace("\\\n", "")
    lines = [line for line in text.splitlines() if line.strip()]
    assert [line for line in lines if not re.match(r"[a-z0-9-]+==[\w.]+( |$)", line)] == []
    return {line.partition("==")[0]: line for line in lines}


def version(pin: str) -> Version:
    """The version of a pin."""
    return Version(pin.partition("==")[2].split()[0])


def asked_by(extra: str) -> list[str]:
    """What an extra asks for, and what the extras ask for that it consists of."""
    found: list[str] = []
    for each in PROJECT["project"]["optional-dependencies"][extra]:
        named = Requirement(each)
        own = named.name == PROJECT["project"]["name"]
        found += [one for inner in sorted(named.extras) for one in asked_by(inner)] if own else [each]
    return found


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-tools.txt"])
def test_every_pin_has_its_hashes(lock: str) -> None:
    assert [pin for pin in pins(lock).values() if not HASH.search(pin)] == []


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"]),
        ("requirements.txt", asked_by("dev")),
        ("requirements.txt", PROJECT["build-system"]["requires"]),
        ("requirements-tools.txt", PROJECT["dependency-groups"]["tools"]),
    ],
)
def test_the_pins_are_what_is_asked_for(lock: str, asked: list[str]) -> None:
    held = pins(lock)
    for each in map(Requirement, asked):
        assert version(held[canonicalize_name(each.name)]) in each.specifier, f"{each}: run `make lock`"


def test_the_constraints_are_the_lock_without_hashes() -> None:
    def bare(pin: str) -> str:
        return " ".join(HASH.sub("", pin).split())

    held = {name: bare(pin) for name, pin in pins("requirements.txt").items()}
    assert {name: bare(pin) for name, pin in pins("constraints.txt").items()} == held, "run `make lock`"


@pytest.mark.parametrize(("environment", "folder"), [("VENV", "here"), ("TOOLS_VENV", "there")])
def test_the_environments_are_installed_by_their_hashes(environment: str, folder: str) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", f"{environment}={folder}", f"{folder}/installed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # What comes after || is done, or only said, where the plain way fails.
    commands = planned.stdout.replace("\\\n", " ").splitlines()
    installs = [line.partition("||")[0] for line in commands if f"{folder}/bin/python -m pip install" in line]
    assert installs
    for install in installs:
        assert "--require-hashes --only-binary :all:" in install or "--no-deps --no-build-isolation" in install, install
