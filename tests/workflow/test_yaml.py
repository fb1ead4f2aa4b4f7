"""Reading and writing workflows: the grammar, what a wrong text is told, and that what is written reads back equal."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pdr_dspy.errors import WorkflowError
from pdr_dspy.workflow import (
    Analysis,
    Answers,
    Pick,
    Random,
    Round,
    Summary,
    Top,
    Workflow,
    build_workflow,
    dump_workflow,
    load_workflow,
    parse_workflow,
)
from tests.workflow.strategies import workflows

PDR = """\
name: pdr
rounds:
  - {width: 16, distill: {kind: summary, tokens: 512}}
  - {width: 8, distill: {kind: top, k: 4, shared: false}, quorum: 6}
  - {width: 4, distill: {kind: random, k: 3}, thinking: 100, answer: 50}
  - {width: 1}
"""


def test_a_workflow_is_read_with_natural_yaml() -> None:
    workflow = parse_workflow(PDR + "sampling: {temperature: 1}\nshare: 1\n")
    assert workflow.widths == (16, 8, 4, 1)
    assert workflow.rounds[0].distill == Summary(tokens=512)
    assert workflow.rounds[1].distill == Top(k=4, shared=False)
    assert workflow.rounds[1].quorum == 6
    assert workflow.rounds[2].distill == Random(k=3)
    assert (workflow.rounds[2].thinking, workflow.rounds[2].answer) == (100, 50)
    assert workflow.sampling.temperature == 1.0
    assert workflow.close == "single"


def test_a_helpers_thinking_is_read_and_written_as_short_as_can_be() -> None:
    text = "name: t\nrounds:\n  - {width: 4, distill: {kind: summary, thinking: off}}\n  - {width: 4}\n"
    workflow = parse_workflow(text + "close: {kind: pick, thinking: 512}\n")
    assert workflow.rounds[0].distill == Summary(thinking="off")
    assert (workflow.close, workflow.closing) == (Pick(kind="pick", thinking=512), "pick")
    assert "close: {kind: pick, thinking: 512}\n" in dump_workflow(workflow)
    assert parse_workflow(dump_workflow(workflow)) == workflow
    plain = parse_workflow(text + "close: {kind: pick}\n")
    assert plain == parse_workflow(text + "close: pick\n")
    assert "close: pick\n" in dump_workflow(plain)


def test_models_are_kept() -> None:
    text = "name: moa\nrounds:\n  - {width: 2, distill: {kind: answers}, models: [a/b, c]}\n  - {width: 1}\n"
    workflow = parse_workflow(text)
    assert workflow.rounds[0].models == ("a/b", "c")
    assert dump_workflow(workflow) == text


@given(workflows())
@example(Workflow(name="null", rounds=(Round(width=1),)))
@example(Workflow(name="1", rounds=(Round(width=1),)))
def test_what_is_written_reads_back_equal(workflow: Workflow) -> None:
    assert parse_workflow(dump_workflow(workflow)) == workflow


def test_writing_is_compact() -> None:
    workflow = Workflow(
        name="x",
        rounds=(Round(width=8, distill=Summary(tokens=2)), Round(width=1, distill=Analysis()), Round(width=3)),
        close="vote",
    )
    assert dump_workflow(workflow) == (
        "name: x\n"
        "rounds:\n"
        "  - {width: 8, distill: {kind: summary, tokens: 2}}\n"
        "  - {width: 1, distill: {kind: analysis}}\n"
        "  - {width: 3}\n"
        "close: vote\n"
    )


ONE = "name: x\nrounds:\n  - {width: 1}\n"


def two(first: str, rest: str = "") -> str:
    return f"name: x\nrounds:\n  - {first}\n  - {{width: 1}}\n{rest}"


@pytest.mark.parametrize(
    ("text", "field", "problem", "mend"),
    [
        # unknown keys, everywhere
        (ONE + "colse: vote\n", "colse (line 4)", "unknown key", "Write close"),
        (two("{width: 2, distil: {kind: summary}}"), "rounds[0].distil (line 3)", "unknown key", "Write distill"),
        (two("{width: 2, distill: {kind: summary, k: 2}}"), "rounds[0].distill.k (line 3)", "unknown", "kind, tokens"),
        (two("{width: 2, distill: {kind: top, top: 2}}"), "rounds[0].distill.top (line 3)", "unknown", "k, shared"),
        (ONE + "sampling: {temp: 1}\n", "sampling.temp (line 4)", "unknown key", "Use one of temperature, top_p"),
        (ONE + "prompts:\n  draft: default\n  zzz: y\n", "prompts.zzz (line 6)", "unknown key", "draft, refine"),
        # missing
        ("rounds:\n  - {width: 1}\n", "name (line 1)", "missing", "Add name:"),
        ("name: x\n", "rounds (line 1)", "missing", "Add rounds:"),
        ("name: x\nrounds:\n  - {quorum: 1}\n", "rounds[0].width (line 3)", "missing", "Add width:"),
        ("name: x\nrounds: []\n", "rounds (line 2)", "empty", "at least one"),
        ("name: x\nrounds:\n", "rounds (line 2)", "empty", "list"),
        ("", "workflow (line 1)", "empty", "key: value"),
        (two("{width: 2, distill: {tokens: 4}}"), "rounds[0].distill.kind (line 3)", "missing", "summary, top"),
        # wrong values and types
        ("name: x\nrounds:\n  - width: 0\n", "rounds[0].width (line 3)", "0 is too small", "at least 1"),
        ("name: x\nrounds:\n  -\n    width: '4'\n", "rounds[0].width (line 4)", "'4' is not a whole", "without quotes"),
        ("name: x\nrounds:\n  - {width: 1.0}\n", "rounds[0].width (line 3)", "1.0 is not a whole number", "such as 4"),
        (
            "name: x\nrounds:\n  - {width: true}\n",
            "rounds[0].width (line 3)",
            "True is not a whole number",
            "such as 4",
        ),
        ("name: x\nrounds: {width: 1}\n", "rounds (line 2)", "not a list", "as a list"),
        ("name: x\nrounds: [3]\n", "rounds[0] (line 2)", "3 is not a mapping", "keys and values"),
        ("- a\n", "workflow (line 1)", "not a mapping", "keys and values"),
        ("name: 7\nrounds: [{width: 1}]\n", "name (line 1)", "7 is not text", "quotes"),
        ("name: a b\nrounds: [{width: 1}]\n", "name (line 1)", "other characters", "Leave"),
        (ONE + "close: vot\n", "close (line 4)", "not one of the choices", "'vote'"),
        (ONE + "share: 1.5\n", "share (line 4)", "1.5 is too large", "at most 1"),
        (ONE + "share: 0\n", "share (line 4)", "0 is too small", "more than 0"),
        (ONE + "share: .nan\n", "share (line 4)", "nan", ""),
        (ONE + "sampling: {temperature: '1'}\n", "sampling.temperature (line 4)", "not a number", "without quotes"),
        (two("{width: 2, distill: {kind: sumary}}"), "rounds[0].distill.kind (line 3)", "no distiller", "summary"),
        (two("{width: 2, distill: summary}"), "rounds[0].distill (line 3)", "not a mapping", "Write {kind: summary}"),
        (two("{width: 2, distill: [4]}"), "rounds[0].distill (line 3)", "not a mapping", "one of summary, top"),
        (two("{width: 2, distill: {kind: [top]}}"), "rounds[0].distill.kind (line 3)", "no distiller", "summary, top"),
        (two("{width: 2, distill: {kind: top, shared: 1}}"), "rounds[0].distill.shared (line 3)", "true", "true"),
        (two("{width: 2, distill: {kind: answers}, models: [a b]}"), "rounds[0].models[0] (line 3)", "ASCII", "Leave"),
        (two("{width: 2, distill: {kind: answers}, models: []}"), "rounds[0].models (line 3)", "empty", "one"),
        (
            two("{width: 2, distill: {kind: summary, thinking: -1}}"),
            "rounds[0].distill.thinking (line 3)",
            "-1 is neither a number of tokens nor off",
            "512, or off",
        ),
        (two("{width: 2, distill: {kind: top, thinking: on}}"), "rounds[0].distill.thinking (line 3)", "True", "off"),
        (
            two("{width: 2, distill: {kind: answers, thinking: 5}}"),
            "rounds[0].distill.thinking (line 3)",
            "key",
            "kind",
        ),
        (ONE + "close: {kind: vote}\n", "close.kind (line 4)", "'vote' is not one", "'pick'"),
        (ONE + "close: {thinking: 5}\n", "close.kind (line 4)", "missing", "Add kind:"),
        (ONE + "close: {kind: pick, thinkin: 5}\n", "close.thinkin (line 4)", "unknown key", "Write thinking"),
        (ONE + "close: {kind: pick, thinking: x}\n", "close.thinking (line 4)", "'x' is neither", "512, or off"),
        (ONE + "close: [pick]\n", "close (line 4)", "not one of the choices", "'vote'"),
        (ONE + "fallback: maybe\n", "fallback (line 4)", "not one of the choices", "'on' or 'off'"),
        # rounds that do not fit together
        (two("{width: 2}"), "rounds[0].distill (line 3)", "needs a distiller", "kind: summary"),
        (
            ONE[:-2] + ", distill: {kind: previous}}\n",
            "rounds[0].distill (line 3)",
            "no round after it",
            "Leave it out",
        ),
        ("name: x\nrounds:\n  - {width: 3}\n", "rounds[0].width (line 3)", "leaves 3 drafts", "close: vote"),
        (ONE + "close: vote\n", "rounds[0].width (line 3)", "close: vote needs at least 2", "leave out close"),
        (ONE + "close: pick\n", "rounds[0].width (line 3)", "close: pick needs at least 2", "leave out close"),
        (two("{width: 2, quorum: 3, distill: {kind: summary}}"), "rounds[0].quorum (line 3)", "3 is more", "At most 2"),
        (two("{width: 2, distill: {kind: top, k: 3}}"), "rounds[0].distill.k (line 3)", "3 of 2", "at most k: 2"),
        (
            two("{width: 4, quorum: 2, distill: {kind: random, k: 3}}"),
            "rounds[0].distill.k (line 3)",
            "3 of 2",
            "most k: 2",
        ),
        (
            two("{width: 2, distill: {kind: previous}}"),
            "rounds[0].distill.kind (line 3)",
            "one draft",
            "Write width: 1",
        ),
        (
            two("{width: 2, distill: {kind: analysis}}"),
            "rounds[0].distill.kind (line 3)",
            "one draft",
            "Write width: 1",
        ),
        (two("{width: 4, distill: {kind: top, k: 4, tokens: 9}}"), "rounds[0].distill.tokens (line 3)", "few", "128"),
        (two("{width: 9, distill: {kind: answers, tokens: 9}}"), "rounds[0].distill.tokens (line 3)", "few", "72"),
        (two("{width: 1, models: [a, b], distill: {kind: previous}}"), "rounds[0].models (line 3)", "2 is more", "1"),
        # the catalogue of prompts
        (
            ONE + "prompts: {pick: default, draft: zz}\n",
            "prompts.draft (line 4)",
            "no prompt has the id 'zz'",
            "default",
        ),
        # YAML itself
        ("name: x\nrounds: [{width: 1}]\nname: y\n", "name (line 3)", "line 1 already", "Keep one"),
        ("name: x\nrounds:\n  - width: 1\n    width: 2\n", "rounds[0].width (line 4)", "line 3 already", "Keep one"),
        ("name: [\n", "workflow (line 2)", "not YAML", "brackets"),
        ("name: x\n\trounds: 1\n", "workflow (line 2)", "not YAML", "indentation"),
        ("name: x\n---\nname: y\n", "workflow (line 2)", "not YAML", ""),
        ("name: !!python/object:os.system x\n", "workflow (line 1)", "not YAML", ""),
        ("name: 2020-13-45\n", "workflow (line 1)", "'2020-13-45' can't be read as timestamp", "quotes"),
        ("name: x\nrounds: [{width: !!int ''}]\n", "workflow (line 2)", "'' can't be read as int", ""),
        ("name: x\nrounds:\n  - width: !!int '_'\n", "workflow (line 3)", "'_' can't be read as int", ""),
        (ONE + "share: !!float ''\n", "workflow (line 4)", "'' can't be read as float", ""),
        (ONE + "share: !!float abc\n", "workflow (line 4)", "'abc' can't be read as float", ""),
        (ONE + f"share: 1{':59' * 200}.5\n", "workflow (line 4)", "can't be read as float", ""),
        (ONE + "close: !!bool abc\n", "workflow (line 4)", "'abc' can't be read as bool", ""),
        ("name: !!timestamp abc\n", "workflow (line 1)", "'abc' can't be read as timestamp", ""),
        ("name: 2020-01-01T00:00:00+24:00\n", "workflow (line 1)", "can't be read as timestamp", ""),
        (ONE + "? !!bool k\n: 1\n", "workflow (line 4)", "'k' can't be read as bool", ""),
        (ONE + "close: !!set {!!int '': }\n", "workflow (line 4)", "'' can't be read as int", ""),
        (ONE + "close: !!omap [a: !!int '']\n", "workflow (line 4)", "'' can't be read as int", ""),
        (ONE + "close: !!binary 'x y'\n", "workflow (line 4)", "base64", ""),
        (ONE + f"share: {'9' * 5000}\n", "workflow (line 4)", "can't be read as int", ""),
        (ONE + 'close: "\\UFFFFFFFF"\n', "workflow (line 4)", "an escape", ""),
        (ONE + 'close: "\\U00110000"\n', "workflow (line 4)", "an escape", ""),
        (f"%YAML 1.{'9' * 5000}\n---\nname: x\n", "workflow (line 1)", "directive", ""),
    ],
)
def test_a_wrong_text_names_line_key_and_mend(text: str, field: str, problem: str, mend: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        parse_workflow(text)
    assert caught.value.field == field
    assert problem in caught.value.problem
    assert mend in caught.value.mend


def test_the_first_wrong_line_is_named() -> None:
    with pytest.raises(WorkflowError) as caught:
        parse_workflow("share: 2\nname: x\nrounds:\n  - {width: 0}\n")
    assert caught.value.field == "share (line 1)"


def test_a_file_is_named_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: x\nrounds:\n  - {width: 0}\n")
    with pytest.raises(WorkflowError) as caught:
        load_workflow(file)
    assert caught.value.field == f"rounds[0].width (line 3 of {file})"


def test_a_file_that_is_not_there_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "pdr.yaml").write_text(ONE)
    assert load_workflow(str(tmp_path / "pdr.yaml")).name == "x"
    with pytest.raises(WorkflowError, match=r"prd\.yaml.*pdr\.yaml"):
        load_workflow(tmp_path / "prd.yaml")
    with pytest.raises(WorkflowError, match="can't be read"):
        load_workflow(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff")
    with pytest.raises(WorkflowError, match="UTF-8"):
        load_workflow(tmp_path / "latin.yaml")


def test_plain_data_has_the_same_checks() -> None:
    rounds = [{"width": 4, "distill": {"kind": "answers"}}, {"width": 1}]
    assert build_workflow({"name": "x", "rounds": rounds}).rounds[0].distill == Answers()
    with pytest.raises(WorkflowError) as caught:
        build_workflow({"name": "x", "rounds": [{"width": 4, "distill": {"kind": "top", "k": 5}}, {"width": 1}]})
    assert caught.value.field == "rounds[0].distill.k"


TAGS = ("int", "float", "bool", "null", "timestamp", "binary", "omap", "pairs", "set", "str", "seq", "map", "merge")
VALUES = ("", "''", "_", "+", "abc", "0x", "0b", "1:", ":", ".", "2020-00-00", "[]", "[a]", "{}", "{a: b}", "=", "<<")


@pytest.mark.parametrize("tag", TAGS)
def test_no_tag_makes_another_error(tag: str) -> None:
    for value in VALUES:
        for text in (f"name: !!{tag} {value}\n", f"? !!{tag} {value}\n: x\n", f"x: [!!{tag} {value}]\n"):
            with pytest.raises(WorkflowError) as caught:
                parse_workflow(text)
            assert "line" in caught.value.field


@given(st.text(max_size=40))
@example("a: &a [*a]\n")
@example("rounds: &a [*a]\nname: x\n")
@example("[" * 1500)
@example("? [a, b]\n: c\n")
@example("<<: {name: x}\nrounds: [{width: 0}]\n")
def test_no_text_makes_another_error(text: str) -> None:
    try:
        parse_workflow(text)
    except WorkflowError as error:
        assert error.field and error.problem
