"""`python -m experiments.grading`: our graders and others on pairs decided by hand; `--help` says how."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.grading.judge import KNOWN
from experiments.grading.ours import our_words
from experiments.grading.pairs import PAIRS, read_pairs
from experiments.grading.process import Missing, words
from experiments.grading.report import OURS, Compared, markdown
from experiments.grading.tables import mistakes
from experiments.pages import check_page, write
from pdr_dspy.command.guarded import guarded

EPILOG = """\
examples
  python -m experiments.grading --ours --mistakes
      our graders alone, in seconds, and every pair they get wrong
  python -m experiments.grading --pairs mine.jsonl --ours --mistakes
      the same on pairs of your own: {"reference": "1/2", "answer": "0.5", "right": true} a line; "kind" names the
      grader (default math; package.module:function is one of yours), "shape" is what pairs are counted by
  python -m experiments.grading --with mine:same
      beside the others a function of yours, same(reference, answer) -> bool
  python -m experiments.grading --python .venv-graders/bin/python --out docs/grading.md
      with the graders installed there; writes the table between the markers of docs/grading.md
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m experiments.grading",
        description="Our graders, and those of other packages installed here, on (reference, answer, right?) pairs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--pairs", type=Path, default=PAIRS, metavar="FILE", help="JSONL (default: the repository's)")
    made.add_argument("--kinds", default="", metavar="KIND,...", help="only pairs for these graders (default: all)")
    made.add_argument("--ours", action="store_true", help="only our graders")
    made.add_argument("--with", dest="functions", action="append", default=[], metavar="MODULE:FUNCTION")
    made.add_argument(
        "--python",
        action="append",
        default=[],
        help="another environment's interpreter with graders installed; may be given again",
    )
    made.add_argument("--mistakes", action="store_true", help="list the pairs that our graders get wrong")
    made.add_argument("--out", type=Path, metavar="FILE", help="put the tables between this file's markers")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    options = parser().parse_args(arguments)
    return guarded(lambda: compare(options))


def compare(options: argparse.Namespace) -> int:
    """Run the graders and show the tables; returns the exit code."""
    if options.out is not None:
        check_page(options.out, "grading")
    pairs = read_pairs(options.pairs, tuple(kind for kind in options.kinds.split(",") if kind))
    common = [pair for pair in pairs if pair.kind == "math"]
    said = {OURS: our_words(pairs)}
    missing: dict[str, str] = {}
    for name in (*(() if options.ours else KNOWN), *options.functions) if common else ():
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            said[name] = words(name, common, (sys.executable, *options.python))
        except Missing as reason:
            missing[name] = str(reason)
    compared = Compared(tuple(pairs), said, missing)
    if options.out is not None:
        write(options.out, "grading", markdown(compared))
    print(markdown(compared))
    if options.mistakes:
        print("\n" + "\n".join(mistakes(pairs, said[OURS])))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
