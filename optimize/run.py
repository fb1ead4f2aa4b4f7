"""Measure workflows, with the search's table: `python optimize/run.py programs/pdr.yaml --budget tokens=16k`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from optimize.command.options import add_common, new_parser, request_of
from pdr_dspy.command.guarded import INTERRUPTED, guarded
from pdr_dspy.command.invoked import invoked
from pdr_dspy.extras import need
from pdr_dspy.workflow.prompting import FORMATS

EPILOG = """\
examples
  python optimize/run.py programs/pdr.yaml programs/long_cot.yaml --budget tokens=16k
  python optimize/run.py runs/mine/winner.yaml --budget tokens=16k --endpoint http://host:8000/v1 --data aime25
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = new_parser(
        "run.py", "Measure workflows on the problems that a search does not see, and print its table.", EPILOG
    )
    made.add_argument("workflow", nargs="*", metavar="WORKFLOW.yaml", help="workflows, as in programs/")
    add_common(
        made,
        f"how the model is asked and answers: {', '.join(FORMATS)} (default: what the workflow says, else the model's "
        "card, else the library)",
    )
    made.add_argument("--problems", type=int, metavar="N", help="problems (default 100)")
    made.add_argument("--dry-run", action="store_true", help="show how the problems are understood; send nothing")
    return made


def main() -> int:
    """The command."""

    def run() -> int:
        options = parser().parse_args()  # it repeats what it does not know, which may be a password
        need("search", " ".join(invoked()))

        from optimize.engine.measure import measure
        from optimize.request.run import RunRequest

        return INTERRUPTED if measure(request_of(RunRequest, options)).ending == "interrupted" else 0

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
