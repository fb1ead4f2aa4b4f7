"""What is trained on: examples on own states, role by role, and the first training's mixture."""

from __future__ import annotations

import random

from experiments.reasoner.data import Example, Generator
from experiments.training.operator_sft.config import TeacherSFT
from experiments.training.operator_sft.states import State
from experiments.training.operator_sft.teacher import Teacher

CHUNK_TOKENS = 200_000
MISSES = 1000
"""States in a row that give no example of a role, after which its tokens go to the next role."""


def chunk(
    stage: TeacherSFT, teacher: Teacher, pool: list[State], generator: Generator, rng: random.Random, tokens: int
) -> tuple[list[Example], dict[str, int]]:
    """Examples of about so many tokens, and how many of them each role has.

    Each role has its share, on states of the pool, the rest is of the original mixture. What a role finds no states for
    goes to the next one, and from the last to the mixture.
    """
    found: list[Example] = []
    counted: dict[str, int] = {}
    over = 0.0
    total = sum(stage.roles.values())
    for role, share in sorted(stage.roles.items()) if stage.operator else ():
        left, misses = tokens * stage.operator * share / total + over, 0
        while left > 0 and misses < MISSES:
            made = teacher.example(role, rng.choice(pool), rng)
            if made is None:
                misses += 1
                continue
            misses = 0
            found.append(made)
            left -= len(made.ids)
            counted[role] = counted.get(role, 0) + len(made.ids)
        over = max(0.0, left)
    left = tokens * (1 - stage.operator) + over
    while left > 0:
        found.append(generator.example(rng))
        left -= len(found[-1].ids)
        counted["original"] = counted.get("original", 0) + len(found[-1].ids)
    return found, counted
