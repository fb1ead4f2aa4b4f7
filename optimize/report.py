"""A study as one HTML page: `python optimize/report.py STUDY`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":  # as a script: this directory's parent is where `optimize` and `pdr_dspy` are found
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from optimize.command.options import new_parser
from pdr_dspy.command.guarded import guarded
from pdr_dspy.command.invoked import invoked
from pdr_dspy.extras import need

EPILOG = """\
examples
  python optimize/report.py tokens-16k_worksheets_embedded
      writes runs/tokens-16k_worksheets_embedded/report.html
  python optimize/report.py mine --storage postgresql://user@host/optuna --out mine.html
      a study that lives elsewhere

The page holds the table of the report (where the search has come to one), the search's front, every trial in parallel
coordinates, what each dimension explains, who solves which problem, and the front's workflows. It needs no network, and
can be made while the search runs.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = new_parser("report.py", "Write a study as one self-contained HTML page.", EPILOG)
    made.add_argument("study", metavar="STUDY", help="the study's name, as the search says it and runs/ has it")
    made.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where state is kept (runs)")
    made.add_argument(
        "--storage", default=None, metavar="URL", help="the study's Optuna storage, if it was given to the search"
    )
    made.add_argument(
        "--out", type=Path, default=None, metavar="FILE", help="where to write (default: report.html beside the study)"
    )
    return made


def main() -> int:
    """The command."""

    def run() -> int:
        options = parser().parse_args()
        need("search", " ".join(invoked()))
        from optimize.engine.read_study import read_page
        from optimize.reporting.pages import as_page
        from pdr_dspy.disk import write_whole

        page = read_page(options.study, options.runs, options.storage)
        path = write_whole(options.out or options.runs / options.study / "report.html", as_page(page))
        print(f"{len(page.trials)} trials of {page.name}: {path}")
        return 0

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
