"""Operator SFT from the shipped weights, in one command that goes on where it was killed.

python -m experiments.training.operator_sft --folder runs/operator_sft
python -m experiments.training.operator_sft --folder runs/control --operator 0
python -m experiments.reasoner.export --folder runs/operator_sft/turn-4 --to pdr_dspy/embedded/weights
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pdr_dspy.embedded
from experiments.training.operator_sft.config import Config
from experiments.training.operator_sft.train import run


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shipped = Path(pdr_dspy.embedded.__file__).parent / "weights"
    usual = Config(shipped, Path("runs/operator_sft"))
    parser.add_argument("--weights", type=Path, default=shipped, help="Hugging Face folder to start from")
    parser.add_argument("--folder", type=Path, default=usual.folder, help="states, checkpoints and the result")
    parser.add_argument("--turns", type=int, default=usual.turns)
    parser.add_argument("--tokens", type=int, default=usual.tokens, help="trained tokens a turn")
    parser.add_argument("--operator", type=float, default=usual.operator, help="share of tokens on own states")
    parser.add_argument("--rate", type=float, default=usual.rate, help="factor on the original learning rates")
    parser.add_argument("--sheets", type=int, default=usual.sheets.count, help="worksheets sampled a turn")
    parser.add_argument("--seed", type=int, default=usual.seed)
    given = vars(parser.parse_args())
    sheets = replace(usual.sheets, count=given.pop("sheets"))
    print(run(replace(usual, sheets=sheets, **given)))


if __name__ == "__main__":
    main()
