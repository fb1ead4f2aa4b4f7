"""The reasoner in plain torch, and prompts as the library renders them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tokenizers import Tokenizer

from experiments.reasoner.tokenizer import chat_text
from pdr_dspy.data.worksheets import Worksheet, worksheets

if TYPE_CHECKING:
    from experiments.reasoner.model import Reasoner

Messages = list[dict[str, str]]


@pytest.fixture(scope="session")
def reasoner(weights: Path) -> Reasoner:
    """The shipped model. Not to be changed."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from experiments.training.policy.weights import reasoner_of

    return reasoner_of(weights)


@pytest.fixture(scope="session")
def asked() -> list[Messages]:
    """Messages of twelve first drafts, of two to five lines."""
    import dspy

    from pdr_dspy.modules import PDR
    from pdr_dspy.workflow import Round, Workflow

    draft = PDR(Worksheet, Workflow(name="long_cot", rounds=(Round(width=1, thinking=64, answer=96),))).draft
    problems = [problem for lines in (2, 3, 4, 5) for problem in worksheets(3, lines=lines, split="search", seed=lines)]
    return [dspy.ChatAdapter().format(draft.signature, [], dict(problem.inputs)) for problem in problems]


@pytest.fixture(scope="session")
def prompts(asked: list[Messages], weights: Path) -> list[list[int]]:
    """The same as token ids."""
    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    texts = [chat_text(*(message["content"] for message in messages)) for messages in asked]
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
