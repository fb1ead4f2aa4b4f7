"""Graders: is this output right for this problem? Each is cheap where it can be; only what is left asks math-verify.

A grader reads one output field and grades `str()` of it, so the field may be typed (`int`, a pydantic model with a
`__str__`). Knows nothing of models.
"""

from __future__ import annotations

from pdr_dspy.data.graders.code import Code
from pdr_dspy.data.graders.guess import Guess, guess
from pdr_dspy.data.graders.make import GRADERS, make_grader
from pdr_dspy.data.graders.protocol import Comparing, FieldGrader, Grader, Verdict, graded_by
from pdr_dspy.data.graders.tolerance import Tolerance

__all__ = [
    "GRADERS",
    "Code",
    "Comparing",
    "FieldGrader",
    "Grader",
    "Guess",
    "Tolerance",
    "Verdict",
    "graded_by",
    "guess",
    "make_grader",
]
