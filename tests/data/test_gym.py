"""reasoning-gym's tasks: their specs everywhere, their verifiers where it is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from pdr_dspy.data import load_data, split
from pdr_dspy.data.gym import LEFT_OUT, GymSpec
from pdr_dspy.data.gym.scorer import _REACHES
from pdr_dspy.data.gym.verifier import Verifier
from pdr_dspy.errors import DataError

installed = pytest.mark.skipif(importlib.util.find_spec("reasoning_gym") is None, reason="needs reasoning-gym")


def test_specs() -> None:
    spec = GymSpec.parse("chain_sum:size=5,seed=3,min_terms=2,ops=[1, 2],flag=True,kind=abc")
    assert (spec.name, spec.size, spec.seed) == ("chain_sum", 5, 3)
    assert spec.options == {"min_terms": 2, "ops": [1, 2], "flag": True, "kind": "abc"}
    assert GymSpec.parse(str(spec).removeprefix("gym:")) == spec


@pytest.mark.parametrize(
    "text", ["", ":size=3", "a b", "x:size", "x:size=0", "x:size=a", "x:seed=-1", "x:a=1,a=2", "x:=3"]
)
def test_specs_that_are_none(text: str) -> None:
    with pytest.raises(DataError, match="gym"):
        GymSpec.parse(text)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_tasks_that_can_not_be_graded_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="can't be graded"):
        load_data(f"gym:{name}")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "reasoning_gym.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DataError, match=r"pip install 'pdr-dspy\[gym\]'"):
        load_data("gym:chain_sum:size=2")


STAND_IN = """
class Data:
    def __init__(self, size): self.size = size
    def __getitem__(self, index): return {"question": f"say {index}", "answer": str(index)}
    def score_answer(self, answer, entry):
        if answer == "hang":
            while True: pass
        if answer == "raise": raise ZeroDivisionError
        return 1.0 if answer == entry["answer"] else 0.2
def create_dataset(name, seed, size, **options):
    if options: raise AssertionError("no options")
    return Data(size)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library of that name with one task, for what no real task does on purpose."""
    (tmp_path / "reasoning_gym").mkdir()
    (tmp_path / "reasoning_gym" / "__init__.py").write_text(STAND_IN)
    (tmp_path / "reasoning_gym" / "factory.py").write_text("DATASETS = {'say': None, 'sing': None}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


async def test_a_verifier_that_hangs_or_fails(stand_in: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pdr_dspy.data.gym.verifier.LIMIT", 1.0)
    data = load_data("gym:say:size=3")
    problem = data.problems[2]
    assert await data.grader.grade(problem, {"answer": " 2 "})
    assert await data.grader.grade(problem, {"answer": "so it is \\boxed{2}"})
    assert not await data.grader.grade(problem, {"answer": "1"})
    verdict = await data.grader.grade(problem, {"answer": "hang"})
    assert (verdict.correct, verdict.failure) == (False, "grader")  # type: ignore[union-attr]
    verdict = await data.grader.grade(problem, {"answer": "raise"})
    assert (verdict.correct, verdict.failure) == (False, None)  # type: ignore[union-attr]
    assert await data.grader.grade(problem, {"answer": "2"})


def test_tasks_and_options_there_are_not(stand_in: None) -> None:
    with pytest.raises(DataError, match=r"no task 'sey' among its 2\. Did you mean say"):
        load_data("gym:sey")
    with pytest.raises(DataError, match="AssertionError: no options"):
        load_data("gym:say:width=3")
    with pytest.raises(DataError, match="own fields"):
        load_data("gym:say", inputs="question")
    assert list(load_data("gym:say:size=2", signature="task -> answer").problems[0].inputs) == ["task"]


def test_the_process_ends_with_the_one_that_asked(stand_in: None) -> None:
    code = (
        "from pdr_dspy.data.gym.verifier import Verifier; from pdr_dspy.data.gym import GymSpec;"
        "v = Verifier(GymSpec('say', 2)); v.problems(); print(v._process.pid)"
    )
    pid = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    "answer", ["__import__('os').system('x')", "x.__class__", "open('f')", "(1).real", "lambda: 1"]
)
def test_answers_that_could_do_more_than_compute(answer: str) -> None:
    assert _REACHES.search(answer)


@pytest.mark.parametrize("answer", ["x**2 + sin(x)/3 + C", "[[1, 2], [3, 4]]", "1.5*x", "['a', 'b']", "-sqrt(2)"])
def test_answers_that_compute(answer: str) -> None:
    assert not _REACHES.search(answer)


@installed
@pytest.mark.parametrize("name", ["chain_sum", "spiral_matrix", "word_sorting", "simple_integration"])
async def test_references_grade_as_right(name: str) -> None:
    data = load_data(f"gym:{name}:size=8,seed=1")
    assert data.fingerprint == load_data(f"gym:{name}:size=8,seed=1").fingerprint
    for part in split(data):
        for problem in part.problems:
            assert await part.grader.grade(problem, {"answer": problem.answer})
            assert not await part.grader.grade(problem, {"answer": "no idea"})


@installed
async def test_an_answer_is_never_run(tmp_path: Path) -> None:
    verifier = Verifier(GymSpec("simple_integration", 1))
    wrote = tmp_path / "wrote"
    assert verifier.score(0, f"__import__('pathlib').Path('{wrote}').touch()").score < 1
    assert not wrote.exists()
    verifier.close()
