"""What a run of operator SFT is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["distill", "refine", "finish", "resume", "pick", "analyse"]
"""`finish`: the answer behind a refinement's own thinking; `resume`: how to go on where it goes round in a circle."""


@dataclass(frozen=True)
class Sheets:
    """Which worksheets are sampled in a turn, and how.

    Attributes:
        count: Worksheets a turn.
        drafts: Drafts of each.
        spaces: Workspaces of each, by the model itself, of drafts drawn anew.
        lines: Share of worksheets by their number of lines.
        thinking: Thinking tokens of a draft for each line.
        least: Thinking tokens of a draft on top of that.
        answer: Tokens after the thinking, for each line.
        refined: Thinking tokens of a refinement for each line.
        kappa: Workspace tokens for each line.
        temperature: Of the sampling.
    """

    count: int = 256
    drafts: int = 12
    spaces: int = 4
    lines: tuple[tuple[int, float], ...] = ((3, 0.1), (4, 0.35), (5, 0.15), (6, 0.3), (7, 0.05), (8, 0.05))
    thinking: int = 40
    least: int = 80
    answer: int = 36
    refined: int = 80
    kappa: int = 24
    temperature: float = 0.6


@dataclass(frozen=True)
class Config:
    """A run.

    Attributes:
        weights: Hugging Face folder to start from.
        folder: Where states, checkpoints and the result go; a killed run goes on from it.
        turns: How often states are sampled anew, from the weights of then.
        tokens: Trained tokens a turn.
        operator: Share of them on the model's own states; the rest is the original mixture (0: the control).
        roles: Share of the operator tokens by role.
        own: Share of refinements whose workspace the model wrote itself; the others' is the teacher's.
        faulty: Share of those for which one with something to mend is looked for.
        falsified: Share of operator examples some of whose right claims are made false.
        checked: Share of refinements that are cut soon after their checks.
        rate: Factor on the original learning rates; after a warm-up it falls linearly to 0 over all turns.
        average: What an update leaves of the running mean of the weights, which samples and is the result.
        default: Share of operator examples with the default instruction of their stage.
        seed: Of everything drawn.
        sheets: What is sampled.
    """

    weights: Path
    folder: Path
    turns: int = 4
    tokens: int = 3_000_000
    operator: float = 0.5
    roles: tuple[tuple[Role, float], ...] = (
        ("resume", 0.3),
        ("finish", 0.18),
        ("refine", 0.2),
        ("distill", 0.26),
        ("pick", 0.03),
        ("analyse", 0.03),
    )
    own: float = 0.75
    faulty: float = 0.6
    falsified: float = 0.5
    checked: float = 0.4
    rate: float = 0.15
    average: float = 0.995
    default: float = 0.75
    seed: int = 0
    sheets: Sheets = Sheets()
