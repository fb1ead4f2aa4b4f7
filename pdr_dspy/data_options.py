"""The options of every command that takes problems, and what it tells of them. Light to import."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pdr_dspy.waiting import waiting

if TYPE_CHECKING:
    from pdr_dspy.data import Dataset

DATA = (
    "worksheets (worksheets:lines=6), a benchmark by its name (aime24, aime25, aime26, math500, amc23, hmmt25, gsm8k, "
    "minerva, olympiad, gpqa), a file (.jsonl, .json, .csv, .tsv, .parquet, each also .gz), a folder or "
    "a quoted pattern of such, hf:org/name:split, or gym:TASK (reasoning-gym)"
)
"""What can be named."""

READING = ("inputs", "answer", "options", "grader", "tolerance", "signature", "instruction", "skip_empty", "limit")
"""Options that say how problems are read, by their names in a parsed command line and in `load_data`."""


def add_reading(group: argparse._ActionsContainer) -> None:
    """Options that say how a file of one's own is read, asked and graded."""
    group.add_argument(
        "--inputs",
        metavar="COLUMNS",
        help="input columns of a file, separated by commas, each a name or a path such as extra.question; a name that "
        "has a comma in quotes: '\"a,b\",c' (default: the signature's inputs, or problem)",
    )
    group.add_argument(
        "--answer",
        metavar="COLUMN",
        help="its column of reference answers, also a path such as reward_model.ground_truth (default: answer)",
    )
    group.add_argument(
        "--options",
        metavar="COLUMNS",
        help="its column of a multiple-choice problem's options, or one column an option: A,B,C,D",
    )
    group.add_argument(
        "--grader",
        metavar="KIND",
        help="how answers are compared: integer, number, math, choice, words, exact, all (several parts), any "
        "(several right ones), or module:function of your own (default: the data set's, or guessed and told)",
    )
    group.add_argument(
        "--tolerance", metavar="T", help="how far a number may be off: 1e-3 relative, +-0.5 absolute (default: not)"
    )
    group.add_argument(
        "--signature", metavar="TEXT", help='fields and types as DSPy writes them: "question -> answer: int"'
    )
    group.add_argument("--instruction", metavar="TEXT", help="what is to be done, and what the answer looks like")
    group.add_argument(
        "--skip-empty",
        action="store_true",
        help="leave rows out whose inputs are all empty, or whose answer is (default: they are an error)",
    )
    group.add_argument("--limit", type=int, metavar="N", help="read the file's first N problems alone")


def reading(options: object) -> dict[str, Any]:
    """The arguments of `load_data` that a parsed command line has, or anything else with attributes of these names."""
    return {name: getattr(options, name) for name in READING}


def wording(options: object) -> dict[str, str]:
    """What of them is not in a data set's fingerprint, and decides what is asked all the same."""
    return {name: value for name in ("signature", "instruction") if (value := getattr(options, name)) is not None}


def said(options: argparse.Namespace) -> list[str]:
    """The same options as words of a command line, those that were given."""
    words: list[str] = []
    for name in READING:
        value = getattr(options, name)
        if value is not None and value is not False:
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return words


def load_asked(spec: str, how: Mapping[str, Any], *, quiet: bool = False) -> Dataset:
    """A data set that a command asks for. What was understood and guessed is told, unless it was before.

    Args:
        spec: What is named (`DATA`).
        how: The other arguments of `load_data`.
        quiet: Tell nothing.

    Raises:
        DataError: it can't be read, asked or graded so.
    """
    from pdr_dspy.data import load_data

    with waiting(f"reading {spec}"):
        data = load_data(spec, **how)
        _ = data.groups  # whoever splits the set or tells of it needs them, and they take as long
    return data if quiet else told(data)


def told(data: Dataset) -> Dataset:
    """The data set; what was understood of it, and what looks wrong in it, is said on stderr."""
    from pdr_dspy.data.checks import remarks

    with waiting("looking at the references"):
        lines = [*data.notes, *remarks(data)]
    for line in lines:
        print(f"data: {line}", file=sys.stderr, flush=True)
    return data
