"""The workflows that come with the library, and their labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdr_dspy.budget import Budget
from pdr_dspy.workflow import dump_workflow, load_workflow, parse_workflow, plan, topology

PROGRAMS = Path(__file__).parents[2] / "programs"
EXPECTED = {  # label, calls that follow one another, all calls
    "long_cot": ("1", 1, 1),
    "sr": ("1-1-1-1 previous@2048", 4, 4),
    "sr_analysis": ("1-1-1-1 analysis@4096", 7, 7),
    "pdr": ("16-8-4-1 summary@1024", 7, 32),
    "pdr_small": ("8-1 summary@1024", 3, 10),
    "majority": ("16 vote", 1, 16),
    "best_of_n": ("8 pick", 2, 9),
    "genselect": ("8 pick", 2, 9),
    "rsa": ("16x10 random4@8192 vote", 10, 160),
    "pacore": ("32-4-1 answers@1024", 3, 37),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_program_is_what_its_name_says(name: str) -> None:
    workflow = load_workflow(PROGRAMS / f"{name}.yaml")
    made = plan(workflow, Budget(tokens=16_000))
    assert workflow.name == name
    assert (topology(workflow), made.seq_calls, made.calls) == EXPECTED[name]
    assert 16_000 - len(workflow.rounds) < made.path_tokens <= 16_000
    assert parse_workflow(dump_workflow(workflow)) == workflow


def test_no_program_is_untested() -> None:
    assert {p.stem for p in PROGRAMS.glob("*.yaml")} == set(EXPECTED)


def test_a_label_tells_quorums_and_mixed_distillers() -> None:
    workflow = parse_workflow(
        "name: x\nrounds:\n"
        "  - {width: 8, quorum: 6, distill: {kind: top, shared: false}}\n"
        "  - {width: 8, distill: {kind: summary}}\n"
        "  - {width: 8, distill: {kind: summary}}\n"
        "  - {width: 2}\n"
        "close: pick\n"
    )
    assert topology(workflow) == "6of8-8-8-2 top2each@4096+summary@1024 pick"
