"""What an answer says, and when two say the same. Knows nothing of data sets, models and workflows."""

from __future__ import annotations

from pdr_dspy.answers.canonical import canonical, rational
from pdr_dspy.answers.equality import Equal, Graded, Undecided, equal_answers, graded, judged

__all__ = ["Equal", "Graded", "Undecided", "canonical", "equal_answers", "graded", "judged", "rational"]
