"""Imports point one way: between packages, between the rooms of the search, and never in a circle. See the docs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOPS = ("pdr_dspy", "optimize", "experiments")
"""A package knows those before it alone."""

ROOMS = ("space", "objectives", "study", "reporting", "request", "inputs", "proposals", "engine", "command")
"""Rooms of `optimize`, as the picture in docs/architecture.md has them; its scripts lie above them all."""

LONGEST = 250
"""Lines of a module of `optimize`; what is longer has a concept in it that wants out."""

STILL_LONG = {"optimize/reporting/drawings.py": 265, "optimize/space/space.py": 258}
"""Those that are longer all the same, and may not grow."""


def modules() -> dict[str, Path]:
    """Every module's name and file."""
    found = {}
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


LATE = {
    ("pdr_dspy.endpoint.engine", "pdr_dspy.endpoint.environment"),
    ("pdr_dspy.modules.records", "pdr_dspy.run_view.making"),
    ("pdr_dspy.run_view.data", "pdr_dspy.run_view.html"),
    ("pdr_dspy.run_view.data", "pdr_dspy.run_view.text"),
    ("pdr_dspy.workflow.schema", "pdr_dspy.workflow.describe"),
    ("pdr_dspy.workflow.values", "pdr_dspy.workflow.complaints"),
}
"""Methods of a value that are written elsewhere, and imported when they are called: the only ones that look back."""


def imported(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports anywhere, in functions and for types as well."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in MODULES or node.module in MODULES:
                    yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


GRAPH = {name: set(imported(path)) - {name} for name, path in MODULES.items()}


def test_a_package_knows_those_below_it_alone() -> None:
    above = {
        (name, other)
        for name, others in GRAPH.items()
        for other in others
        if TOPS.index(other.split(".")[0]) > TOPS.index(name.split(".")[0])
    }
    assert {pair for pair in above if not pair[0].startswith("pdr_dspy.command")} == set()


def test_rooms_of_the_search_know_those_above_them_in_the_picture_alone() -> None:
    def rank(name: str) -> int:
        room = name.split(".")[1] if name.count(".") else ""
        return ROOMS.index(room) if room in ROOMS else len(ROOMS)

    wrong = {
        (name, other)
        for name, others in GRAPH.items()
        for other in others
        if name.startswith("optimize") and other.startswith("optimize") and rank(other) > rank(name)
    }
    assert wrong == set()


def test_every_room_is_in_the_picture() -> None:
    drawn = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    there = {path.name for path in (ROOT / "optimize").iterdir() if (path / "__init__.py").is_file()}
    assert there == set(ROOMS) and all(f"|   {room} " in drawn for room in ROOMS)
    places = [drawn.index(f"|   {room} ") for room in ROOMS]
    assert places == sorted(places)
    packages = {path.name for path in (ROOT / "pdr_dspy").iterdir() if (path / "__init__.py").is_file()}
    for name in packages - {"prompts", "secrets"}:  # what all of them share
        assert f"|   {name} " in drawn, f"docs/architecture.md does not show pdr_dspy/{name}"


def test_no_two_modules_import_each_other() -> None:
    try:
        TopologicalSorter(
            {name: {o for o in others if (name, o) not in LATE} for name, others in GRAPH.items()}
        ).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_what_looks_back_does_so_in_a_function() -> None:
    for name, other in LATE:
        tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
        at_once = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert other in GRAPH[name] and other not in at_once


def test_modules_stay_short() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "optimize").rglob("*.py")
    }
    assert {name: n for name, n in lengths.items() if n > STILL_LONG.get(name, LONGEST)} == {}


def test_an_import_is_found_wherever_it_stands(tmp_path: Path) -> None:
    (file := tmp_path / "x.py").write_text(
        "import optimize.run\nfrom optimize.space import choices\nfrom optimize.space.space import Space\n"
        "def f():\n    from pdr_dspy import budget\n"
    )
    assert set(imported(file)) == {"optimize.run", "optimize.space.choices", "optimize.space.space", "pdr_dspy.budget"}
