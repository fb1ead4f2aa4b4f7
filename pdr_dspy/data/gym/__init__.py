"""reasoning-gym's tasks (https://github.com/open-thought/reasoning-gym), each judged by its own verifier."""

from __future__ import annotations

from pdr_dspy.data.gym.spec import LEFT_OUT, GymSpec
from pdr_dspy.data.gym.tasks import GymProblem, gym_problems

__all__ = ["LEFT_OUT", "GymProblem", "GymSpec", "gym_problems"]
