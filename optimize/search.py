"""Search a model's best accuracy-latency trade-off at a budget: `python optimize/search.py --budget tokens=16k`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":  # as a script: this directory's parent is where `optimize` and `pdr_dspy` are found
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from optimize.command.options import add_common, new_parser, request_of
from optimize.request.sizes import EMBEDDED, SERVED
from pdr_dspy.command.guarded import INTERRUPTED, guarded
from pdr_dspy.command.invoked import invoked
from pdr_dspy.extras import need
from pdr_dspy.workflow.prompting import FORMATS

if TYPE_CHECKING:
    from optimize.engine.result import SearchResult
    from optimize.request.search import SearchRequest

EPILOG = """\
examples
  python optimize/search.py --budget tokens=16k
      the embedded reasoner on its worksheets, a few minutes on two cores
  python optimize/search.py --budget tokens=16k --dry-run
      what would be searched, with how many calls and tokens; nothing is sent
  python optimize/search.py --budget tokens=16k --endpoint http://host:8000/v1 --model Qwen/Qwen3-8B --data aime24
      any vLLM; several --endpoint are replicas of one model
  python optimize/search.py --budget tokens=16k --endpoint http://host:8000/v1 --load 1,8,32 \\
      --objectives accuracy,latency,total_tokens
      the front of accuracy, seconds and tokens of all calls, measured at three loads (searched at the largest)
  python optimize/search.py --budget tokens=8k,seconds=60 --data mine.jsonl --inputs question --answer label \\
      --topologies 1,8-1,16-4-1,8-vote --trials 60 --study mine
  python optimize/search.py --budget tokens=16k --endpoint http://host:8000/v1 --data aime24 \\
      --propose 4 --proposer http://other:8000/v1#Qwen/Qwen3-32B
      with instructions that a larger model writes, by DSPy's own proposers (MIPROv2's grounded one and GEPA's
      reflective one in turn): prompt_draft is also one of grounded-1, reflective-2, ...; winner.yaml has the text

A topology is the number of parallel drafts of each round: 16-4-1 draws 16 drafts, distils them into a workspace of at
most kappa tokens, refines 4 times in parallel, distils again, refines once. Of several drafts left at the end, `-vote`
takes the majority answer and `-pick` has the model choose.

Ctrl-C keeps what is done; the same command goes on. State is in runs/<study>: the journal, every completion (a draft
is paid for once), report.md, front.json, and as workflows winner.yaml (the most accurate), near.yaml (the fastest
within a point of it) and knee.yaml.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = new_parser(
        "search.py",
        "Search workflows (topology, distiller, k, kappa, tokens of a draft, prompts and their format, "
        "temperature) for accuracy against latency, and report the Pareto front on problems the search never saw.",
        EPILOG,
    )
    add_common(
        made,
        f"how the model is asked and answers, one to use or several to choose from: {', '.join(FORMATS)} (default: "
        "what the model's card recommends, else plain,json; the first is that of the baselines)",
    )
    how = made.add_argument_group("search (defaults in brackets: embedded reasoner / a server of yours)")
    how.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help=f"different workflows to measure in all ({EMBEDDED.trials} / {SERVED.trials})",
    )
    how.add_argument(
        "--timeout",
        metavar="TIME",
        help=f"end the search after 90, 10m or 2h and report ({EMBEDDED.timeout:g} s / none)",
    )
    how.add_argument(
        "--spend",
        metavar="LIMIT",
        help="generated tokens of the whole study at most, its report and all its runs included: tokens=50m "
        "(counted in the study's directory: workers that do not share it count for themselves)",
    )
    how.add_argument("--problems", type=int, metavar="N", help="problems of a trial (32 / 64)")
    how.add_argument(
        "--report-problems",
        type=int,
        metavar="N",
        help=f"problems of the report ({EMBEDDED.report_problems} / {SERVED.report_problems})",
    )
    how.add_argument(
        "--front",
        type=int,
        metavar="N",
        help=f"most members of the front in the report ({EMBEDDED.front} / {SERVED.front})",
    )
    how.add_argument(
        "--max-latency",
        metavar="LIMIT",
        help="no front member is slower than this on the search's problems: 20s, 2m; with --latency tokens 900, 4k",
    )
    how.add_argument(
        "--min-accuracy", metavar="SHARE", help="no front member is less accurate than this on them: 0.6, 60%%"
    )
    how.add_argument("--topologies", metavar="LIST", help="topologies to choose from, separated by commas")
    how.add_argument(
        "--propose",
        type=int,
        metavar="N",
        help="before the search, have N new instructions written for each of draft, refine and distill, from "
        "problems of the search; they join the catalogue's (default 0)",
    )
    how.add_argument(
        "--proposer",
        metavar="URL[#MODEL]",
        help="who writes them (default: the model itself); its key is read from PDR_PROPOSER_API_KEY",
    )
    how.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="trials at once, so that the load stays up at a trial's end (default 2)",
    )
    how.add_argument(
        "--no-racing",
        dest="racing",
        action="store_false",
        help="measure every workflow on all problems, also those that are surely dominated after some of them",
    )
    how.add_argument("--study", metavar="NAME", help="name of the study (default: from budget, data and model)")
    how.add_argument(
        "--storage",
        metavar="URL",
        help="Optuna storage (default: a journal file in the study's directory). With a database, such as "
        "postgresql://user@host/name, the same command on any machine joins the study (see docs/cluster.md); the "
        "password is better given as PGPASSWORD",
    )
    how.add_argument("--dry-run", action="store_true", help="print the space and the cost expected; send nothing")
    return made


def main() -> int:
    """The command."""

    def run() -> int:
        options = parser().parse_args()  # it repeats what it does not know, which may be a password
        need("search", " ".join(invoked()))

        from optimize.engine.setup import search
        from optimize.request.search import SearchRequest
        from pdr_dspy.secrets.credentials import without_password

        command = shlex.join([*invoked(), *map(without_password, sys.argv[1:])])
        found = search(request_of(SearchRequest, options), command)
        return INTERRUPTED if found.ending == "interrupted" else 0

    return guarded(run)


class _Callable(ModuleType):
    """This module, which is both the command and, as `optimize.search(request)`, the function behind it.

    A script of this name must lie here, and a package can't hold a module and a function of one name.
    """

    def __call__(self, request: SearchRequest | Mapping[str, Any]) -> SearchResult:
        """Search; see `optimize.engine.setup.search`."""
        need("search", "optimize.search")
        from optimize.engine.setup import search

        return search(request)


if __name__ == "__main__":
    raise SystemExit(main())
sys.modules[__name__].__class__ = _Callable
