"""`python -m pdr_dspy.data FILE`: what is understood of a data set, before a token is spent on it; `--help`."""

from __future__ import annotations

import argparse
import sys

from pdr_dspy.command.invoked import invoked
from pdr_dspy.data_options import DATA, add_reading, reading
from pdr_dspy.errors import InputError
from pdr_dspy.terminal import printing
from pdr_dspy.waiting import waiting

MODULE = "python -m pdr_dspy.data"

EPILOG = """\
examples
  python -m pdr_dspy.data mine.jsonl
      a file with the columns problem and answer
  python -m pdr_dspy.data test.csv --inputs question --answer label
      columns of other names; a CSV's first line names them
  python -m pdr_dspy.data train.parquet --inputs prompt --answer reward_model.ground_truth
      a chat as the prompt, and an answer within a column
  python -m pdr_dspy.data mmlu.parquet --inputs question --options choices --answer answer
      multiple choice; --options A,B,C,D where each option has a column
  python -m pdr_dspy.data physics.csv --grader number --tolerance 1e-2 --instruction "Answer in metres per second."
      numbers that may be off by a hundredth, and what the answer looks like
  python -m pdr_dspy.data gym:chain_sum:size=50,min_terms=3
      tasks of reasoning-gym, judged by their own verifiers

Every command that takes --data takes the same options. Nothing is sent anywhere, hf: and a benchmark that is not there
as a file aside, which are downloaded. docs/data.md says more.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    prog = " ".join(invoked(MODULE))
    made = argparse.ArgumentParser(
        prog=prog,
        description="Show what is understood of problems: as the model will see them, how answers are graded and why, "
        "the two sides of the split, copies and doubtful reference answers.",
        epilog=EPILOG.replace(MODULE, prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("data", metavar="DATA", help=DATA)
    add_reading(made)
    made.add_argument("--show", type=int, default=3, metavar="N", help="problems shown in full (default 3)")
    made.add_argument(
        "--format", choices=("plain", "markers", "json", "xml"), default="plain", help="the prompts' format (plain)"
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """The command; its exit code is 2 where the data can't be used."""
    asked = parser()
    options = asked.parse_args(arguments)
    if options.show < 0:
        asked.error(f"--show {options.show}: give 0 or more")
    with printing():
        return _described(options)


def _described(options: argparse.Namespace) -> int:
    try:
        from pdr_dspy.data import load_data
        from pdr_dspy.data.showing import described

        with waiting(f"reading {options.data}"):
            text = described(load_data(options.data, **reading(options)), options.show, options.format)
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    try:
        print(text)
    except BrokenPipeError:  # someone who reads with `head` has read enough
        sys.stderr.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
