"""What a stage costs, before it is begun: tokens, memory, hours. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.training.config import RL, Config
from experiments.training.operator_sft.config import TeacherSFT
from experiments.training.schedule import counts

BYTES = {"float32": 4, "bfloat16": 2}
OPTIMISER_BYTES = 12
"""A parameter's master weight and AdamW's two moments, in fp32."""


@dataclass(frozen=True, slots=True)
class Costs:
    """A stage's cost.

    Attributes:
        groups: Groups drawn.
        rollouts: Sequences trained on.
        drawn: Tokens generated.
        read: Prompt tokens read by the sampler (a group's prompt once: it is in the prefix cache).
        trained: Tokens of forward and backward passes, prompts included.
        updates: Updates of the weights.
        hours: At the configuration's speeds.
        model_bytes: Weights, gradients and optimiser of all processes together.
    """

    groups: int
    rollouts: int
    drawn: int
    read: int
    trained: int
    updates: int
    hours: float
    model_bytes: int


def costs(config: Config, stage: RL, parameters: int) -> Costs:
    """What a stage costs with calls of the configuration's usual lengths.

    Args:
        config: The configuration.
        stage: Its stage.
        parameters: The model's.
    """
    usual, shape = config.usual, config.shape
    n, m = shape.group, shape.drafts
    by_mode = {mode: count * stage.steps for mode, count in counts(stage.problems, stage.shares).items()}
    distill_prompt, refine_prompt = usual.prompt + m * usual.draft, usual.prompt + usual.distill
    before = m * usual.draft  # the drafts a group shares
    drawn = {
        "trace": n * usual.trace,
        "operator": before + usual.distill + n * usual.refine,
        "distill": before + n * (usual.distill + usual.refine),
    }
    read = {
        "trace": usual.prompt,
        "operator": usual.prompt + distill_prompt + refine_prompt,
        "distill": usual.prompt + distill_prompt + n * refine_prompt,
    }
    trained = {
        "trace": n * (usual.prompt + usual.trace),
        "operator": n * (refine_prompt + usual.refine),
        "distill": n * (distill_prompt + usual.distill),
    }
    groups = sum(by_mode.values())
    total = {
        name: sum(each[mode] * count for mode, count in by_mode.items())
        for name, each in (("drawn", drawn), ("read", read), ("trained", trained))
    }
    weights = BYTES[config.dtype]
    return Costs(
        groups=groups,
        rollouts=groups * n,
        drawn=total["drawn"],
        read=total["read"],
        trained=total["trained"],
        updates=stage.steps * stage.updates,
        hours=_hours(config, total["drawn"], total["read"], total["trained"]),
        model_bytes=parameters * (2 * weights + OPTIMISER_BYTES),
    )


def teacher_costs(config: Config, stage: TeacherSFT) -> Costs:
    """What operator SFT with a teacher costs, with calls of the configuration's usual lengths.

    Its groups are worksheets, its rollouts their calls. How many updates there are depends on the examples' lengths.

    Args:
        config: The configuration.
        stage: The stage.
    """
    usual, sheets = config.usual, stage.sheets
    count = stage.turns * sheets.count if stage.operator else 0
    drawn = count * (sheets.drafts * usual.draft + sheets.spaces * (usual.distill + usual.refine))
    # Each worksheet's drafts share a prompt, its workspaces do not.
    distill, refine = usual.prompt + sheets.drafts * usual.draft // 2, usual.prompt + usual.distill
    read = count * (usual.prompt + sheets.spaces * (distill + refine))
    trained = stage.turns * stage.tokens
    return Costs(
        groups=count,
        rollouts=count * (sheets.drafts + 2 * sheets.spaces),
        drawn=drawn,
        read=read,
        trained=trained,
        updates=0,
        hours=_hours(config, drawn, read, trained),
        model_bytes=config.parameters * (2 * BYTES["float32"] + OPTIMISER_BYTES),
    )


def _hours(config: Config, drawn: int, read: int, trained: int) -> float:
    speed = config.speed
    return (drawn / speed.drawn + read / speed.read + trained / speed.trained) / 3600
