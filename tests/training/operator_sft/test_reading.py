"""What is read in the model's texts is what the library reads, and the checker lets nothing false pass."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st

from experiments.training.operator_sft.reading import claims, draft_fields, workspace_text
from pdr_dspy.workspace import ByteTokenizer

from .support import BENT, BESIDE, FOREIGN, OTHER_LINE, PROBLEM, RIGHT, UNUSED, draft


@pytest.mark.parametrize("row", RIGHT.values())
def test_right_workings_are_right(row: str) -> None:
    assert [item.right for item in claims(PROBLEM, draft(row))] == [True]


@pytest.mark.parametrize(
    "row",
    [
        FOREIGN,
        OTHER_LINE,
        UNUSED,
        BENT,
        BESIDE,
        "A: 7 * 4 = 28",
        "A: 7 * 4 = 28, 28 + 13 = 41, and so",
        "A: 4 / 0 = 41",
        "A: 13 + 7 = 20, 28 + 13 = 41",
    ],
)
def test_false_workings_are_not(row: str) -> None:
    assert [item.right for item in claims(PROBLEM, draft(row))] == [False]


@pytest.mark.parametrize("row", ["A: open", "A: 7 * 4 + 13", "none", "D: 7 * 4 = 28, 28 + 13 = 41"])
def test_what_claims_nothing_about_a_line_is_no_claim(row: str) -> None:
    assert claims(PROBLEM, draft(row)) == []


@given(st.text(alphabet="AB: 0123456789+-*/=,\n", max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    for item in claims(PROBLEM, text):
        assert item.index in (0, 1, 2)


def test_a_draft_has_its_fields_and_a_cut_one_without_an_answer_none() -> None:
    text = f"[[ ## solution ## ]]\n{RIGHT['A']}\n\n[[ ## answer ## ]]\nA: (7 * 4) + 13\n\n[[ ## completed ## ]]"
    assert draft_fields(text, True) == (RIGHT["A"], "A: (7 * 4) + 13")
    assert draft_fields(text[:30], False) is None
    assert draft_fields("", False) is None


def test_a_workspace_is_bounded() -> None:
    text = f"[[ ## workspace ## ]]\n{RIGHT['A']}\nB: open\n\n[[ ## completed ## ]]"
    assert workspace_text(text, True, 1000, ByteTokenizer()) == f"{RIGHT['A']}\nB: open"
    assert workspace_text(text, True, 10, ByteTokenizer()) == RIGHT["A"][:10]
