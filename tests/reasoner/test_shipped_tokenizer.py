"""The shipped tokenizer still fits the library's prompts: rewriting one silently would make every prompt longer."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

import pdr_dspy.embedded
from experiments.reasoner.templates import STAGE_INPUTS, Prompts
from experiments.reasoner.tokenizer import chat_text
from pdr_dspy.modules.signatures import STAGES
from pdr_dspy.workflow import Stage

WEIGHTS = Path(pdr_dspy.embedded.__file__).parent / "weights"
TOKENIZER = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
PROMPTS = Prompts()
PROBLEM = "\n".join(f"{label}: make 41 from 13, 7, 4" for label in "ABCD")


def ids(text: str) -> list[int]:
    return list(TOKENIZER.encode(text, add_special_tokens=False).ids)


def test_the_templates_are_what_the_adapter_sends() -> None:
    PROMPTS.check()


@pytest.mark.parametrize("stage", STAGES)
def test_every_catalogue_prompt_costs_few_tokens(stage: Stage) -> None:
    for text in PROMPTS.instructions[stage].values():
        inputs = [PROBLEM, *("12" for _ in STAGE_INPUTS[stage])]
        assert len(ids(chat_text(*PROMPTS.render(stage, text, inputs)))) <= 55


@pytest.mark.parametrize("number", range(100))
def test_a_number_is_one_token_wherever_it_stands(number: int) -> None:
    assert len(ids(str(number))) == 1
    assert len(ids(f" {number}")) == 1
    assert len(ids(f" ({number}")) == 2


@settings(max_examples=200)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80))
def test_every_text_round_trips(text: str) -> None:
    assert TOKENIZER.decode(ids(text), skip_special_tokens=False) == text


def test_the_chat_template_renders_what_training_saw() -> None:
    source = (WEIGHTS / "chat_template.jinja").read_text(encoding="utf-8")
    messages = [{"role": "system", "content": "be\nbrief"}, {"role": "user", "content": PROBLEM}]
    rendered = jinja2.Template(source).render(messages=messages, add_generation_prompt=True)
    assert rendered == chat_text("be\nbrief", PROBLEM)
