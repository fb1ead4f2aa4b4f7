"""Rollouts from the library: its own runs on a server, and the tokens that a trainer needs of them."""

from experiments.training.rollouts.drawing import Rollout, Rollouts
from experiments.training.rollouts.exchanges import Recorded, RecordingTransport, open_policy
from experiments.training.rollouts.reward import REWARDS, Score, reward_of
from experiments.training.rollouts.shapes import MODES, Mode, Shape
from experiments.training.rollouts.tokens import Part, Tokens, joined

__all__ = [
    "MODES",
    "REWARDS",
    "Mode",
    "Part",
    "Recorded",
    "RecordingTransport",
    "Rollout",
    "Rollouts",
    "Score",
    "Shape",
    "Tokens",
    "joined",
    "open_policy",
    "reward_of",
]
