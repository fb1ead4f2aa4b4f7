"""What the README shows, runs."""

from __future__ import annotations

import ast
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


DOCS = (
    *(
        "architecture",
        "cluster",
        "composing",
        "data",
        "embedded",
        "install",
        "looking",
        "reliability",
        "results",
        "runs",
    ),
    *("search", "training", "workflows"),
)
PAGES = ["README.md", "experiments/README.md", *(f"docs/{name}.md" for name in DOCS)]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_every_promise_has_its_test() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| promise \| test \|\n\|[-|]+\|\n((?:\| .*\n?)+)", text)
    rows = [row for table in rows for row in table.splitlines()]
    assert len(rows) > 20
    for row in rows:
        (path, name) = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?` \|$", row)[0]
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        tests = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        marks = [ast.unparse(node) for node in tree.body if "pytestmark" in ast.unparse(node)]
        found = [test for test in tests if test.name == name or (not name and test.name.startswith("test_"))]
        assert found, row
        marks += [ast.unparse(each) for each in found[0].decorator_list] if name else []
        assert any("slow" in mark for mark in marks) == ("(slow)" in row), row
