"""Countdown worksheets: problems of any difficulty, made on the spot, with an exact checker. See `making`."""

from pdr_dspy.data.worksheets.arithmetic import evaluate
from pdr_dspy.data.worksheets.checking import answered, lines_solved, parse_problem, same_worksheet, worksheet_correct
from pdr_dspy.data.worksheets.lines import (
    FOUR_SHARE,
    LABELS,
    LARGEST_NUMBER,
    LARGEST_RESULT,
    LARGEST_THIRD,
    SPLITS,
    Line,
    Split,
    Step,
    chains,
    expression,
    first_steps,
    last_step,
    pair_steps,
    steps,
)
from pdr_dspy.data.worksheets.making import Worksheet, all_lines, long_line, problem_text, worksheets

__all__ = [
    "FOUR_SHARE",
    "LABELS",
    "LARGEST_NUMBER",
    "LARGEST_RESULT",
    "LARGEST_THIRD",
    "SPLITS",
    "Line",
    "Split",
    "Step",
    "Worksheet",
    "all_lines",
    "answered",
    "chains",
    "evaluate",
    "expression",
    "first_steps",
    "last_step",
    "lines_solved",
    "long_line",
    "pair_steps",
    "parse_problem",
    "problem_text",
    "same_worksheet",
    "steps",
    "worksheet_correct",
    "worksheets",
]
