"""A worksheet, its right and its false claims, and the shipped weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pdr_dspy.embedded
from experiments.training.config import load_config
from experiments.training.operator_sft.config import TeacherSFT

WEIGHTS = Path(pdr_dspy.embedded.__file__).parent / "weights"

PROBLEM = "A: make 41 from 13, 7, 4\nB: make 20 from 18, 5, 12, 20\nC: make 14 from 5, 2, 4"
RIGHT = {
    "A": "A: 7 * 4 = 28, 28 + 13 = 41",
    "B": "B: 18 - 5 = 13, 13 - 12 = 1, 20 * 1 = 20",
    "C": "C: 5 * 2 = 10, 10 + 4 = 14",
}
FOREIGN = "A: 36 + 5 = 41"
OTHER_LINE = "A: 18 + 20 = 38, 38 + 3 = 41"
UNUSED = "B: 18 - 5 = 13, 13 + 7 = 20"
BENT = "C: 5 - 2 = 3, 4 * 3 = 14"
BESIDE = "C: 5 - 2 = 3, 4 * 3 = 12"


def draft(*rows: str) -> str:
    """A draft as later calls read it; its answer field does not matter here."""
    return "\n".join([*(rows or ("none",)), "answer: none"])


def stage(**changes: Any) -> TeacherSFT:
    """The miniature's stage, some of it changed."""
    usual = load_config("embedded").operator_sft
    assert isinstance(usual, TeacherSFT)
    return TeacherSFT.model_validate({**usual.model_dump(), **changes})
