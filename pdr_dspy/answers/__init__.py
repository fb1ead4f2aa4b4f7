"""What an answer says, and when two say the same. Knows nothing of data sets, models and workflows."""

from __future__ import annotations

from pdr_dspy.answers.canonical import canonical, rational
from pdr_dspy.answers.equality import Equal, Graded, Undecided, equal_answers, graded, judged
from pdr_dspy.answers.nodes import Reading
from pdr_dspy.answers.reading import read

__all__ = [
    "Equal",
    "Graded",
    "Reading",
    "Undecided",
    "canonical",
    "equal_answers",
    "graded",
    "judged",
    "rational",
    "read",
]
