"""`python -m experiments.questions frontier`: the paper's questions, measured; `--help` says how."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from experiments.questions.config import known_configs
from optimize.command.options import add_model
from pdr_dspy.command.guarded import guarded
from pdr_dspy.data_options import add_reading

QUESTIONS = ("frontier", "distillers", "oracle", "training")

EPILOG = """\
questions
  frontier    accuracy against B_seq and B_total: long CoT at rising caps, SR with and without analysis, PDR, and at
              equal B_total majority, best-of-N, GenSelect, RSA, PaCoRe
  distillers  global summary, per-sample top-k, shared top-k, random-k at rising kappa
  oracle      only right, or only wrong, drafts (or lines) reach the distiller: how much the model anchors on them
  training    checkpoints on the same problems, paired with the first: --before and one or more --after
  all         the first three, and training where checkpoints are given

examples
  python -m experiments.questions all --dry-run
      what the embedded reasoner would be asked, and how many tokens that is; nothing is sent
  python -m experiments.questions all
      all of it on the embedded reasoner; writes the tables of experiments/README.md and docs/figures
  python -m experiments.questions all --claims-on 1000
      the same with narrower intervals where it matters; goes on from what the first run kept
  python -m experiments.questions frontier --problems 5
      a look at it in a minute; the README stays as it is
  python -m experiments.questions all --config aime25 --endpoint http://host:8000/v1 --model Qwen/Qwen3-8B
      the paper's own settings on a server of yours
  python -m experiments.questions training --before weights/sft --after weights/rl
      two folders with weights for the embedded server; addresses of servers do as well
  python -m experiments.questions training --before sft=weights/sft --after trace=runs/trace/final --after weights/c
      several, by the names that table and plot have; without one: before, after, then the folder's name

Choices (a cap, a width, a distiller) are made on the search split, what is reported is the report split. Ctrl-C keeps
what is done; the same command goes on. State is in runs/questions-<config>: every completion (a call is paid for once),
every result, and report/ with tables and plots. What is measured stands in experiments/configs/<config>.yaml.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m experiments.questions",
        description="Answer the questions of the paper on Parallel-Distill-Refine (arXiv 2510.01123) by measuring.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("question", choices=(*QUESTIONS, "all"), help="which question (below)")
    made.add_argument(
        "--config",
        default="embedded",
        metavar="NAME",
        help=f"what is measured: {', '.join(known_configs())}, or a YAML file like them (default: embedded)",
    )
    made.add_argument("--problems", type=int, metavar="N", help="at most N problems for everything, to try it out")
    made.add_argument(
        "--claims-on",
        type=int,
        metavar="N",
        help="problems that claims are checked on, distillers put in order, and checkpoints compared (default: the "
        "configuration's)",
    )
    made.add_argument("--seed", type=int, metavar="N", help="of all sampling (default: the configuration's)")
    made.add_argument("--dry-run", action="store_true", help="print the plan and the tokens expected; send nothing")
    where = add_model(made, load=None, load_help="requests kept in flight (default: the configuration's)")
    where.add_argument(
        "--before",
        action="append",
        metavar="[NAME=]WHERE",
        help="training: the first checkpoint, a folder or an address",
    )
    where.add_argument(
        "--after",
        action="append",
        metavar="[NAME=]WHERE",
        help="training: a checkpoint to compare with the first; as often as there are some",
    )
    what = made.add_argument_group("problems")
    what.add_argument("--data", metavar="DATA", help="other problems in the place of the configuration's first set")
    add_reading(what)
    made.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where state is kept (runs)")
    return made


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = parser().parse_args(arguments)

    def run() -> int:
        from experiments.questions.command import answer_all

        return answer_all(options)

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
