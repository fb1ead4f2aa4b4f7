"""A workflow's own instructions: how they are written, what a wrong one is told, and that they reach the model."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pdr_dspy.errors import WorkflowError
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import Instruction, Prompts, Round, Summary, Workflow, dump_workflow, parse_workflow
from pdr_dspy.workflow.prompting import LONGEST

HEAD = "name: x\nrounds:\n  - {width: 1}\n"
TWO = (Round(width=2, distill=Summary()), Round(width=1))


def test_a_text_stands_in_the_workflow_beside_ids_of_the_catalogue() -> None:
    workflow = parse_workflow(HEAD + "prompts:\n  draft: {id: grounded-1, text: Mind the units.}\n  refine: brief\n")
    assert workflow.prompts.draft == Instruction(id="grounded-1", text="Mind the units.")
    assert workflow.prompts.ids == {
        "draft": "grounded-1", "refine": "brief", "distill": "default", "pick": "default", "analyse": "default",
    }  # fmt: skip
    assert list(workflow.prompts.own) == ["draft"]
    assert parse_workflow(HEAD + "prompts: {draft: {text: x}}\n").prompts.ids["draft"] == "own"


def test_a_text_of_several_lines_is_written_to_be_read() -> None:
    workflow = Workflow(
        name="x",
        rounds=(Round(width=1),),
        prompts=Prompts(draft=Instruction(id="mine", text="First: think.\n  - then write 'it'"), refine="brief"),
    )
    assert dump_workflow(workflow) == HEAD + (
        "prompts:\n  draft:\n    id: mine\n    text: |-\n"
        "      First: think.\n        - then write 'it'\n  refine: brief\n"
    )


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters, min_size=1, max_size=60).filter(lambda t: t.strip())


@given(texts, texts)
@example("\n a\n\n", "---\n")
@example("a\x85b\nc\u2028d", "# no comment\n- \t")
@example(" lead\n  more\n", "a: b\r\nc")
@example("x" * 500 + "\n" + "y " * 500, "null")
def test_any_text_is_read_back_equal(one: str, two: str) -> None:
    prompts = Prompts(draft=Instruction(text=one), distill=Instruction(id="d-2", text=two))
    workflow = Workflow(name="x", rounds=TWO, prompts=prompts)
    assert parse_workflow(dump_workflow(workflow)) == workflow


@pytest.mark.parametrize(
    ("text", "field", "problem", "mend"),
    [
        ("prompts:\n  draft:\n    id: a\n    text: ' '\n", "prompts.draft.text (line 7)", "empty", "the catalogue's"),
        ("prompts:\n  draft:\n    id: a\n", "prompts.draft.text (line 5)", "missing", "Add text:"),
        ("prompts:\n  draft: {text: 7}\n", "prompts.draft.text (line 5)", "7 is not text", "quotes"),
        ("prompts:\n  draft: {text: a, txt: b}\n", "prompts.draft.txt (line 5)", "unknown key", "Write text"),
        ("prompts:\n  draft: {id: a b, text: a}\n", "prompts.draft.id (line 5)", "characters than letters", "Leave"),
        ("prompts:\n  draft: {id: brief, text: a}\n", "prompts.draft.id (line 5)", "of the catalogue", "another id"),
        ("prompts:\n  draft: nowhere\n", "prompts.draft (line 5)", "no prompt has the id", "{id: own, text: ...}"),
        ("prompts:\n  draft: [a]\n", "prompts.draft (line 5)", "not text", "quotes"),
        ("prompts:\n  draft: {text: a}\n  draft: {text: b}\n", "prompts.draft (line 6)", "line 5 already", "Keep one"),
        (
            f"prompts:\n  draft: {{text: {'x' * (LONGEST + 1)}}}\n",
            "prompts.draft.text (line 5)",
            "20,001 characters",
            "at most 20,000",
        ),
    ],
)
def test_a_wrong_instruction_names_line_key_and_mend(text: str, field: str, problem: str, mend: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        parse_workflow(HEAD + text)
    assert caught.value.field == field
    assert problem in caught.value.problem and mend in caught.value.mend


def test_the_stage_reads_it_and_a_saved_program_keeps_it(tmp_path: Path) -> None:
    own = Workflow(name="x", rounds=TWO, prompts=Prompts(refine=Instruction(text="  Mind the units.\n")))
    program = PDR("problem -> answer", own)
    read = {name: predictor.signature.instructions for name, predictor in program.named_predictors()}
    assert read["refine"] == "Mind the units."
    assert "Mind the units" not in read["draft"] + read["distill"]
    program.save(str(tmp_path / "program.json"))
    loaded = PDR("problem -> answer", Workflow(name="x", rounds=TWO))
    loaded.load(str(tmp_path / "program.json"))
    assert {n: p.signature.instructions for n, p in loaded.named_predictors()} == read
