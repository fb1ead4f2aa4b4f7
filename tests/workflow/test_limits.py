"""Workflows without end: each is refused at once, with what to write instead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pdr_dspy.budget import parse_budget
from pdr_dspy.data.files.bytes import opened
from pdr_dspy.errors import BudgetError, DataError, WorkflowError
from pdr_dspy.workflow import build_workflow, complaints, load_workflow, parse_workflow
from pdr_dspy.workflow.marks import lines

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


def wrong(text: str) -> str:
    with pytest.raises(WorkflowError) as caught:
        parse_workflow(text)
    assert len(str(caught.value)) < 600
    return str(caught.value)


def test_what_is_wrong_alike_is_counted_and_the_first_few_are_named() -> None:
    keys = "".join(f"a{i}: 1\n" for i in range(5))
    assert "a0 (line 1): unknown key; the same is wrong in 4 more: a1, a2, a3 and others. Use" in wrong(keys + ONE)
    assert "a0 (line 1): unknown key; the same is wrong in 1 more: a1. Use" in wrong(f"a0: 1\na1: 1\n{ONE}")
    assert "a0 (line 1): unknown key. Use" in wrong(f"a0: 1\n{ONE}")
    assert "rounds[0] (line 2): 1 is not a mapping; the same is wrong in 9,999 more: rounds[1], rounds[2]," in wrong(
        f"name: x\nrounds: [{', '.join(['1'] * 10_000)}]"
    )
    assert "rounds[1].distill.k (line 4): unknown key; the same is wrong in 1 more: rounds[2].distill.k. Use" in wrong(
        "name: x\nrounds:\n"
        "  - {width: 2, distill: {kind: summary}}\n"
        "  - {width: 2, distill: {kind: summary, k: 1}}\n"
        "  - {width: 2, distill: {kind: summary, k: 1}}\n"
        "  - {width: 1}"
    )


def test_rules_that_are_broken_in_the_same_place_are_counted_and_others_not() -> None:
    said = wrong(
        "name: x\nrounds:\n"
        "  - {width: 2, quorum: 3, distill: {kind: summary}}\n"
        "  - {width: 2, distill: {kind: top, k: 3}}\n"
        "  - {width: 2, quorum: 4, distill: {kind: summary}}\n"
        "  - {width: 1}"
    )
    assert "rounds[0].quorum (line 3): 3 is more than the round's width 2; the same is wrong in 1 more: " in said
    assert "more: rounds[2].quorum. At most" in said


def test_a_long_key_or_value_is_shown_in_part() -> None:
    long = "k" * 100_000
    assert wrong(f"? {long}\n: 1\n{ONE}").startswith(f"{long[:57]}... (line 1): unknown key")
    aliases = ", ".join(["*s"] * 2_000)
    assert "the same is wrong in 2,000 more" in wrong(f"name: x\nrounds: [&s '{long}', {aliases}]")
    assert "the same is wrong in 2,000 more" in wrong(f"name: x\nrounds: [&s !!binary '{long}', {aliases}]")


class Passes(list[tuple[yaml.Node, yaml.Node]]):
    """The pairs of a mapping, which count how often they are gone through."""

    count = 0

    def __iter__(self) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        self.count += 1
        return super().__iter__()

    def __reversed__(self) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        self.count += 1
        return super().__reversed__()


def test_many_keys_take_time_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"a{i}" for i in range(3_000)]
    root = yaml.compose("".join(f"{key}: 1\n" for key in keys))
    assert isinstance(root, yaml.MappingNode)
    root.value = passes = Passes(root.value)
    line = lines(root)
    assert [line((key,)) for key in keys] == list(range(1, 3_001)) and passes.count == 1

    looked_up: list[str] = []
    monkeypatch.setattr(complaints, "get_close_matches", lambda key, *_, **__: looked_up.append(key) or [])
    wrong("".join(f"{key}: 1\n" for key in keys) + ONE)
    assert looked_up == ["a0"]


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
