"""The DSPy face: modules that run a declared workflow over a signature."""

from __future__ import annotations

from pdr_dspy.modules.pdr import PDR
from pdr_dspy.modules.records import Draft, FailedCall, RoundRecord, RunRecord
from pdr_dspy.modules.strategies import LongCoT, MajorityVote, SequentialRefinement
from pdr_dspy.modules.streaming import StageMessages

__all__ = [
    "PDR",
    "Draft",
    "FailedCall",
    "LongCoT",
    "MajorityVote",
    "RoundRecord",
    "RunRecord",
    "SequentialRefinement",
    "StageMessages",
]
