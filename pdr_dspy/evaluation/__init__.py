"""(program, problems) to results: successes and errors, with intervals, latencies and meters."""

from __future__ import annotations

from pdr_dspy.evaluation import statistics
from pdr_dspy.evaluation.results import METERS, Evaluation, ProblemResult
from pdr_dspy.evaluation.runner import evaluate
from pdr_dspy.evaluation.statistics import Difference, Interval

__all__ = ["METERS", "Difference", "Evaluation", "Interval", "ProblemResult", "evaluate", "statistics"]
