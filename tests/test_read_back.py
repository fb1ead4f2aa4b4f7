"""Whatever JSON stands in a file of ours, the command that reads it back reads it or says which file is wrong."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage

import pdr_dspy.embedded
from experiments.efficiency.outcomes import Outcome, Outcomes
from experiments.grading.pairs import read_pairs
from experiments.questions.rows import Row, Rows
from experiments.real.problems import Easy, read_problems
from experiments.training.folder import Folder
from optimize.engine.read_study import read_page
from optimize.objectives.measurement import Measurement
from optimize.reporting.pages import as_page
from optimize.study.fingerprint import FINGERPRINT
from optimize.study.journal import JournalFile
from optimize.study.trials import METRICS, SCORES, WORKFLOW
from pdr_dspy.data import Problem
from pdr_dspy.embedded.chat import ChatTokenizer
from pdr_dspy.embedded.model import CONFIG, GENERATION, NETWORK, TOKENIZER, read_model
from pdr_dspy.endpoint.allowance import FileAllowance
from pdr_dspy.endpoint.recommended import recommendation
from pdr_dspy.errors import PDRError
from pdr_dspy.evaluation import ProblemResult
from pdr_dspy.ledger import Meters
from pdr_dspy.workflow import parse_workflow

DIRECTORY = Path(pdr_dspy.embedded.__file__).parent / "weights"
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 0, 2**63])
    | st.floats()
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
DEEP = "[" * 100_000
EASY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in plain data."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


GONE = object()


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Plain data with something else at one place; `GONE` takes it away."""
    if not path:
        return None if new is GONE else new
    made = copy.deepcopy(value)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    if new is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return made


def spoilt(good: Any) -> st.SearchStrategy[str]:
    """JSON of any shape, and this one with one place changed or missing."""
    edited = st.tuples(st.sampled_from(list(places(good))), JSON | st.just(GONE)).map(lambda e: changed(good, *e))
    return (JSON | edited).map(json.dumps) | st.sampled_from(["", "{", "nonsense", DEEP, '{"a": NaN}'])


def typed(read: Callable[[], Any]) -> None:
    """It is read, or a typed error names a field and a mend."""
    try:
        read()
    except PDRError as error:
        assert str(error)


MEASURED = Measurement(
    0.5, 0.3, 0.7, 1.0, 2.0,
    {"mean_seq_generated": 10.0, "mean_total_generated": 20.0, "mean_b_total": 5.0}, {"empty": 1}, 4,
    troubles=({"problem": "p", "sample": 0, "correct": False, "failure": "empty", "detail": "d", "read": {"boxed": 1},
               "drafts": 2, "calls": [{"stage": "draft", "kind": "empty", "count": 1, "detail": "d", "text": "t",
                                       "fallback": ""}]},),
).as_dict()  # fmt: skip
FRONT = {
    "report_problems": 4,
    "load": 2,
    "loads": [{"load": 2, "problems": 4, "rows": [{"name": "A", "p50": 1.0, "marks": "F"}]}],
    "rows": [
        {"name": "A", "title": "t", "baseline": True, "titles": ["best"], "report_front": True, "unsure": False,
         "report": MEASURED, "search": MEASURED},
    ],
}  # fmt: skip
DESCRIBED = {
    "objectives": ["accuracy", "latency"], "latency": "seconds", "data": {"spec": "x", "split": 1, "grader": "math"},
    "space": {"format": ["plain"], "proposals": {"texts": {"draft": {"a": "text"}}, "proposer": "m", "asked": 1}},
}  # fmt: skip


def study_in(directory: Path, described: Any = DESCRIBED, **attrs: Any) -> Path:
    """A study with a complete trial, in a journal; the journal."""
    folder = directory / "s"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    journal = folder / "journal.log"
    study = optuna.create_study(
        storage=JournalStorage(JournalFile(journal)), study_name="s", directions=["maximize", "minimize"]
    )
    study.set_user_attr(FINGERPRINT, described)
    trial = study.ask()
    trial.suggest_categorical("shape", ["1", "4-1"])
    kept = {METRICS: MEASURED, SCORES: {"accuracy": [1.0, 0.0], "latency": [1.0, 2.0]}, WORKFLOW: "rounds: []", **attrs}
    for name, value in kept.items():
        trial.set_user_attr(name, value)
    trial.set_constraint("budget", 0.0)
    study.tell(trial, [0.5, 1.0])
    return journal


def page(directory: Path) -> str:
    return as_page(read_page("s", directory, None))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A study, and the lines of its journal."""
    directory = tmp_path_factory.mktemp("runs")
    journal = study_in(directory)
    assert "rounds: []" in page(directory)
    return directory, journal.read_text().splitlines()


@EASY
@given(text=spoilt(FRONT))
def test_front_json(whole: tuple[Path, list[str]], text: str) -> None:
    directory, lines = whole
    (directory / "s" / "journal.log").write_text("\n".join(lines) + "\n")
    (directory / "s" / "front.json").write_text(text)
    try:
        typed(lambda: page(directory))
    finally:
        (directory / "s" / "front.json").unlink()


@pytest.mark.parametrize(
    ("path", "new", "said"),
    [
        (("rows", 0, "report", "accuracy"), "x", "rows[0].report.accuracy"),
        (("rows", 0, "report"), GONE, "rows[0].report: Field required"),
        (("rows", 0, "report", "metrics", "mean_b_total"), GONE, "rows[0].report.metrics.mean_b_total"),
        (("rows",), {"a": 1}, "rows:"),
        (("rows",), [1], "rows[0]:"),
        (("loads", 0, "rows"), 3, "loads[0].rows"),
    ],
)
def test_a_wrong_row_of_front_json_is_named(
    whole: tuple[Path, list[str]], path: tuple[Any, ...], new: Any, said: str
) -> None:
    directory, lines = whole
    (directory / "s" / "journal.log").write_text("\n".join(lines) + "\n")
    file = directory / "s" / "front.json"
    file.write_text(json.dumps(changed(FRONT, path, new)))
    try:
        with pytest.raises(PDRError) as told:
            page(directory)
        assert said in str(told.value) and "front.json" in str(told.value)
        file.write_text(json.dumps(FRONT))
        assert "4 problems, 2 requests in flight" in page(directory)
    finally:
        file.unlink()


@EASY
@given(data=st.data())
def test_a_line_of_the_journal(whole: tuple[Path, list[str]], data: st.DataObject) -> None:
    directory, lines = whole
    at = data.draw(st.integers(0, len(lines) - 1))
    line = data.draw(spoilt(json.loads(lines[at])))
    (directory / "s" / "journal.log").write_text("\n".join([*lines[:at], line, *lines[at + 1 :]]) + "\n")
    typed(lambda: page(directory))


@EASY
@given(data=st.data())
def test_what_a_study_keeps(tmp_path: Path, data: st.DataObject) -> None:
    good = {METRICS: MEASURED, SCORES: {"accuracy": [1.0, 0.0]}, WORKFLOW: "rounds: []", FINGERPRINT: DESCRIBED}
    name = data.draw(st.sampled_from(sorted(good)))
    try:
        value = json.loads(data.draw(spoilt(good[name])))
    except (ValueError, RecursionError):
        return
    if name == FINGERPRINT:
        study_in(tmp_path, described=value)
    else:
        study_in(tmp_path, **{name: value})
    typed(lambda: page(tmp_path))


@EASY
@given(text=spoilt({"mark": "x", "what": {"model": "m"}, "notes": {"ended": 3}}))
def test_training_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "training.json").write_text(text)
    (tmp_path / "final").mkdir(exist_ok=True)
    folder = Folder(tmp_path)
    typed(lambda: folder.ended({"model": "m"}, 3))
    typed(lambda: folder.begin({"model": "m"}))
    checkpoint = tmp_path / "checkpoint-1"
    checkpoint.mkdir(exist_ok=True)
    (checkpoint / "trainer_state.json").write_text(text)
    typed(folder.last_checkpoint)


@EASY
@given(text=spoilt({"name": "w", "rounds": [{"width": 4, "distill": {"kind": "summary", "tokens": 64}}, {"width": 1}]}))
def test_a_workflow(text: str) -> None:
    typed(lambda: parse_workflow(text))


@EASY
@given(
    text=st.binary(max_size=60)
    | st.lists(st.sampled_from([b"+ab12 5", b"-ab12 3", b"+", b"-ab12 ", b"-cd 99", b"\xff", b"{}"])).map(b"\n".join)
)
def test_a_line_of_what_was_spent(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "x.spend").write_bytes(text + b"\n")
    typed(lambda: FileAllowance(tmp_path).spent)


OUTCOME = {"key": "k", "outcomes": [{"problem": "p", "correct": True, "failure": None, "path": 3, "calls": {"a": 1}}]}


@EASY
@given(text=spoilt(OUTCOME))
def test_outcomes(tmp_path: Path, text: str) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    Outcomes(tmp_path / "o.jsonl", {}).add("k", [Outcome("p", True, None, 3, {"a": 1})])
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text()) == OUTCOME and Outcomes(tmp_path / "o.jsonl", {}).known["k"][0].tokens == 1
    file.write_text(text + "\n")
    typed(lambda: Outcomes(tmp_path / "o.jsonl", {}))


PROBLEM = Problem("p", {"question": "q"}, "4")
RESULT = ProblemResult("p", 0, True, None, None, "a\u2028b", Meters(calls=2), wall_seconds=1.0, reads={"boxed": 1})


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("rows") / "r.jsonl"
    rows = Rows(file, [PROBLEM])
    rows.add(Row(RESULT, {"unread": 1.0}))
    rows.close()
    again = Rows(file, [PROBLEM])
    again.close()
    assert asdict(again.kept["p", 0].result) == asdict(RESULT)
    plain: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return plain


@EASY
@given(data=st.data())
def test_rows(tmp_path: Path, row: dict[str, Any], data: st.DataObject) -> None:
    (tmp_path / "r.jsonl").write_text(data.draw(spoilt(row)) + "\n")
    typed(lambda: Rows(tmp_path / "r.jsonl", [PROBLEM]).close())


@EASY
@given(text=spoilt(asdict(Easy("a", "sum", "q", "4"))))
def test_problems_and_pairs(tmp_path: Path, text: str) -> None:
    (tmp_path / "e.jsonl").write_text(text + "\n")
    typed(lambda: read_problems(tmp_path / "e.jsonl"))
    typed(lambda: read_pairs(tmp_path / "e.jsonl"))


MODEL = {name: json.loads((DIRECTORY / name).read_text()) for name in (CONFIG, GENERATION)}


@EASY
@given(config=spoilt(MODEL[CONFIG]), generation=spoilt(MODEL[GENERATION]), first=st.booleans())
def test_a_models_sizes(tmp_path: Path, config: str, generation: str, first: bool) -> None:
    for name in (*NETWORK, TOKENIZER):
        (tmp_path / name).touch()
    (tmp_path / CONFIG).write_text(config if first else json.dumps(MODEL[CONFIG]))
    (tmp_path / GENERATION).write_text(json.dumps(MODEL[GENERATION]) if first else generation)
    (tmp_path / "pdr.json").write_text(generation)
    typed(lambda: read_model(tmp_path))
    recommendation({}, str(tmp_path))


SAID = {"tokenizer_config.json": {"chat_template": "{{ messages }}", "eos_token": {"content": "</s>"}}}


@EASY
@given(text=spoilt(SAID["tokenizer_config.json"]), template=st.text(max_size=12) | st.just("{% if %}"))
def test_a_chat_template(tmp_path: Path, text: str, template: str) -> None:
    (tmp_path / TOKENIZER).write_bytes((DIRECTORY / TOKENIZER).read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(text)
    typed(lambda: ChatTokenizer(tmp_path))
    (tmp_path / "chat_template.jinja").write_text(template, encoding="utf-8", errors="replace")
    typed(lambda: ChatTokenizer(tmp_path))
    (tmp_path / "chat_template.jinja").unlink()


@EASY
@given(text=spoilt({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, "added_tokens": [{"content": "x"}]}))
def test_a_tokenizer(tmp_path: Path, text: str) -> None:
    (tmp_path / TOKENIZER).write_text(text)
    typed(lambda: ChatTokenizer(tmp_path))
