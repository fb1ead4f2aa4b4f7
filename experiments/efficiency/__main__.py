"""`python -m experiments.efficiency`: tokens to a good front, against plain Optuna and random search; `--help`."""

from __future__ import annotations

import argparse
from pathlib import Path

from optimize.command.options import add_model
from pdr_dspy.command.guarded import guarded
from pdr_dspy.data_options import add_reading

EPILOG = """\
The grid of experiments/efficiency/grid.py is measured whole, once: every point on every problem, calls that points
share made once. Then every contender searches it with every seed, is told what was measured and charged for the calls
it asks for, until its front has the wanted share of the grid's hypervolume. Latency is tokens along the path.

examples
  python -m experiments.efficiency --dry-run
      how many points and calls; nothing is sent
  python -m experiments.efficiency
      all of it on the embedded reasoner (half an hour on two quiet cores); writes the table of experiments/README.md
  python -m experiments.efficiency --first-front
      one real search from the command on: how long until its front says something

Ctrl-C keeps what is done; the same command goes on. State is in runs/efficiency.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m experiments.efficiency",
        description="Measure what the search saves: generated tokens to reach a share of the exhaustive grid's "
        "hypervolume, for this search, for plain Optuna and for random search.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(made, load=48, load_help="requests kept in flight (default 48)")
    made.add_argument("--data", default="worksheets", metavar="DATA", help="problems (default: worksheets)")
    add_reading(made)
    made.add_argument(
        "--split",
        choices=("search", "report"),
        default="report",
        help="which part of them; how the search works was decided on the search split (default report)",
    )
    made.add_argument("--problems", type=int, default=32, metavar="N", help="problems of a trial (default 32)")
    made.add_argument("--seeds", type=int, default=20, metavar="N", help="searches of each contender (default 20)")
    made.add_argument("--seed", type=int, default=0, help="of all sampling (default 0)")
    made.add_argument(
        "--share", type=float, default=0.95, metavar="SHARE", help="of the grid's hypervolume (default 0.95)"
    )
    made.add_argument("--first-front", action="store_true", help="time a real search to its first useful front instead")
    made.add_argument("--dry-run", action="store_true", help="print the size of the grid; send nothing")
    made.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where state is kept (runs)")
    return made


def main() -> int:
    """The command."""
    options = parser().parse_args()

    def run() -> int:
        from experiments.efficiency.session import compare

        return compare(options)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
