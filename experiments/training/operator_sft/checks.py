"""What can't be trained is refused before anything is sampled."""

from __future__ import annotations

from pathlib import Path

from experiments.configuration import ConfigError
from experiments.reasoner.data import Generator
from experiments.reasoner.model import Reasoner
from experiments.training.operator_sft.config import Sheets
from experiments.training.operator_sft.sampler import Marks
from experiments.training.operator_sft.states import Caller
from experiments.training.policy.weights import reasoner_of
from pdr_dspy.data.worksheets import LABELS


def loaded(folder: Path) -> tuple[Generator, Reasoner]:
    """The tokenizer with the first training's mixture, and the weights.

    Raises:
        ConfigError: there is none of the embedded reasoner's kind.
    """
    mend = "Name a folder with the embedded reasoner's weights, or some trained from them"
    if not folder.is_dir():
        raise ConfigError("--model", f"there is no folder {folder}", mend)
    try:
        generator, model = Generator.load(folder / "tokenizer.json"), reasoner_of(folder)
        Marks.of(generator.tokenizer.get_vocab())
    except Exception as error:  # tokenizers raises nothing narrower
        said = " ".join(str(error).split())[:300]
        raise ConfigError("--model", f"{folder} can't be trained here ({said})", mend) from None
    return generator, model


def fits(sheets: Sheets, caller: Caller) -> None:
    """Refuse sizes of calls that can never be answered.

    Raises:
        ConfigError: a call's cap leaves no room for its prompt.
    """
    context = caller.model.shape.context
    lines = max(sheets.lines)
    problem = "\n".join(f"{label}: make 99 from 25, 25, 25, 25" for label in LABELS[:lines])
    least = len(caller.prompt("draft", [problem]))
    for field, tokens in (
        ("thinking", sheets.least + (sheets.thinking + sheets.answer) * lines),
        ("refined", (sheets.refined + sheets.kappa) * lines),
        ("kappa", sheets.kappa * lines),
    ):
        if least + tokens > context:
            said = f"worksheets of {lines} lines make a call of {least + tokens} tokens, the model reads {context}"
            raise ConfigError(f"operator_sft.sheets.{field}", said, "Write fewer tokens, or fewer lines")
