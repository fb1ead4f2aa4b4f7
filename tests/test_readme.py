"""What the README shows, runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pdr_dspy.workflow import load_workflow, parse_workflow

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.embedded
def test_the_example_runs_on_the_embedded_reasoner() -> None:
    (example,) = blocks("python")
    ran = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    *answer, tokens = ran.stdout.strip().splitlines()
    assert re.match(r"[A-Z]: |none", answer[0])
    assert int(tokens) > 0


def test_the_workflow_it_shows_is_the_preset() -> None:
    (shown,) = blocks("yaml")
    assert parse_workflow(shown) == load_workflow(ROOT / "programs" / "pdr.yaml")


def test_the_first_command_is_the_main_job() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "ARGS ?= --budget tokens=16k" in makefile
    assert "optimize/search.py $(ARGS)" in makefile


def test_every_file_it_names_is_there() -> None:
    named = re.findall(r"`((?:pdr_dspy|programs|optimize|experiments|docs)/[\w./]*)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


PAGES = ["README.md", "experiments/README.md", "docs/data.md", "docs/cluster.md", "docs/looking.md", "docs/training.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
