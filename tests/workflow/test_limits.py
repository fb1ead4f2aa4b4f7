"""Workflows without end: each is refused at once, with what to write instead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pdr_dspy.budget import parse_budget
from pdr_dspy.data.files.bytes import opened
from pdr_dspy.errors import BudgetError, DataError, WorkflowError
from pdr_dspy.workflow import build_workflow, load_workflow, parse_workflow

LEVELS = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
BOMB = f"a0: &a0 [x]\n{LEVELS}name: x\nrounds: *a11\n"
HUGE = "9" * 400
ONE = "name: x\nrounds: [{width: 1}]\n"


@pytest.mark.parametrize(
    ("text", "field", "mend"),
    [
        (BOMB, "workflow", "Write out what they stand for"),
        ("name: x\nrounds: &a [*a]\n", "workflow", "Write out what it stands for"),
        ("&a {name: x, rounds: [*a]}", "workflow", "Write out what it stands for"),
        ("[" * 100_000, "workflow", "Close its brackets"),
        ("x" * 1_000_001, "workflow", "Give the file of a workflow"),
        (f"name: x\nrounds: [{{width: {HUGE}}}]", "rounds[0].width (line 2)", "Write at most 4096"),
        ("name: x\nrounds: [{width: 300000}]\nclose: vote", "rounds[0].width (line 2)", "Write at most 4096"),
        ("name: x\nrounds:\n" + "  - {width: 1}\n" * 257, "rounds (line 2)", "Write at most 256"),
        (f"name: x\nrounds: [{{width: 1, answer: {HUGE}}}]", "rounds[0].answer (line 2)", "Write at most 1000000000"),
        (
            f"name: x\nrounds: [{{width: 1, distill: {{kind: summary, thinking: {HUGE}}}}}, {{width: 1}}]",
            "rounds[0].distill.thinking (line 2)",
            "Write at most 1000000000",
        ),
        (f"name: {'x' * 300}\nrounds: [{{width: 1}}]", "name (line 1)", "Write at most 200 characters"),
        ("name: '..'\nrounds: [{width: 1}]", "name (line 1)", "Leave them out"),
        (f'{ONE}prompts: {{draft: {{text: "a\\0b"}}}}', "prompts.draft.text (line 3)", "Leave it out"),
        (f'{ONE}prompts: {{draft: {{text: "\\uD800"}}}}', "prompts.draft.text (line 3)", "Leave it out"),
    ],
    ids=[
        "aliases", "alias of itself", "map of itself", "depth", "length", "10^400", "width", "rounds", "thinking",
        "helper", "name", "dots", "NUL", "surrogate",
    ],
)  # fmt: skip
def test_what_has_no_end_is_refused_with_a_mend(text: str, field: str, mend: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        parse_workflow(text)
    assert str(caught.value).startswith(field) and mend in str(caught.value)


def test_an_alias_may_be_used() -> None:
    rounds = parse_workflow("name: x\nrounds: [&r {width: 4, distill: {kind: summary}}, *r, {width: 1}]").rounds
    assert rounds[0] == rounds[1]


def test_a_huge_value_of_python_is_shown_in_part() -> None:
    nested: list[object] = ["x"]
    for _ in range(40):
        nested = [nested] * 10
    with pytest.raises(WorkflowError, match="is not a mapping"):
        build_workflow({"name": "x", "rounds": [nested]})
    with pytest.raises(WorkflowError, match="width"):
        build_workflow({"name": "x", "rounds": [{"width": 10**6000}]})


@pytest.mark.parametrize(
    "text", [f"tokens={HUGE}", f"total={'9' * 5000}", f"seconds={'9' * 5000}", "tokens=1" + "0" * 16]
)
def test_a_budget_has_an_end(text: str) -> None:
    with pytest.raises(BudgetError) as caught:
        parse_budget(text)
    assert len(str(caught.value)) < 300


@pytest.fixture
def others(tmp_path: Path) -> list[tuple[Path, str]]:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    return [
        (tmp_path / "pipe", "a named pipe"),
        (tmp_path / "link", "a named pipe"),
        (tmp_path / "folder", "a directory"),
        (Path("/dev/zero"), "a device"),
    ]


def test_what_is_no_file_is_not_opened(others: list[tuple[Path, str]]) -> None:
    for path, kind in others:  # opening a pipe, or reading a device, would never end
        with pytest.raises(WorkflowError, match=kind):
            load_workflow(path)
        with pytest.raises(DataError, match=kind), opened(path):
            pass


def test_a_link_to_a_file_is_read_and_a_circle_of_links_is_told(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("name: x\nrounds: [{width: 1}]\n")
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    assert load_workflow(tmp_path / "link.yaml").name == "x"
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(WorkflowError, match="can't be read"):
        load_workflow(tmp_path / "circle")
    with pytest.raises(WorkflowError, match="can't be read"):
        load_workflow(tmp_path / "nul\0")
