"""Problems and their graders: AIME, MATH-500, any JSONL file or Hugging Face data set, and the embedded worksheets."""

from __future__ import annotations

from pdr_dspy.data.dataset import Dataset
from pdr_dspy.data.duplicates import same_problems
from pdr_dspy.data.graders import GRADERS, Code, Comparing, FieldGrader, Grader, Tolerance, Verdict, guess, make_grader
from pdr_dspy.data.load import FORMS, load_data
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.split import RULE, RULES, Rule, side_of, split
from pdr_dspy.data.wording import normal_form

__all__ = [
    "FORMS",
    "GRADERS",
    "RULE",
    "RULES",
    "Code",
    "Comparing",
    "Dataset",
    "FieldGrader",
    "Grader",
    "Problem",
    "Rule",
    "Tolerance",
    "Verdict",
    "guess",
    "load_data",
    "make_grader",
    "normal_form",
    "same_problems",
    "side_of",
    "split",
]
