"""Which instruction an id stands for, by what the model's card recommends."""

from __future__ import annotations

import pytest

from pdr_dspy.prompts import REASONER, catalogue, family, resolved
from pdr_dspy.workflow import Instruction
from pdr_dspy.workflow.prompting import PROMPTED


@pytest.mark.parametrize("stage", PROMPTED)
def test_every_stage_has_the_texts_of_both_families(stage: str) -> None:
    usual, reasoner = family(stage, None), family(stage, REASONER)
    assert usual[0] == "default" and reasoner[0] == REASONER
    assert [f"{REASONER}-{key}" for key in usual[1:]] == list(reasoner[1:])
    assert set(usual) | set(reasoner) == set(catalogue(stage))


def test_an_id_stands_for_the_models_own_text_where_it_has_one() -> None:
    own = Instruction(text="Mind the units.")
    assert (
        resolved("pick", "default", REASONER) == "reasoner"
        and resolved("pick", "checked", REASONER) == "reasoner-checked"
    )
    assert resolved("pick", "reasoner", REASONER) == "reasoner"
    assert resolved("pick", "checked", None) == "checked" and resolved("pick", "checked", "another") == "checked"
    assert resolved("pick", own, REASONER) is own
