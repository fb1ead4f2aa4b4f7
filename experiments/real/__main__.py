"""`python -m experiments.real`: what the library makes of SmolLM2-135M-Instruct, as a table."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from experiments.real.measure import NAMES, easy_data, plainly, table, through_the_library, typed_data
from experiments.real.serve import serve
from pdr_dspy.caching import disable_cache
from pdr_dspy.command.guarded import guarded
from pdr_dspy.endpoint import Endpoint, EndpointSettings, MemoryStore
from pdr_dspy.workflow import FORMATS


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m experiments.real",
        description="Sixty easy problems through the library, and asked plainly. Without --endpoint it serves "
        "SmolLM2-135M-Instruct on the vLLM that PDR_VLLM_PYTHON names (`make vllm real-model`).",
    )
    made.add_argument("--endpoint", metavar="URL", help="a server with another model, http://host:8000/v1")
    made.add_argument("--model", help="model served there (default: the only one)")
    made.add_argument(
        "--formats",
        action="store_true",
        help="measure the long chain in every format instead, and on the problems with a number as `answer: int`",
    )
    made.add_argument("--seed", type=int, default=0, help="of all sampling (default 0)")
    return made


def main() -> int:
    """The command."""
    options = parser().parse_args()
    return guarded(lambda: measure(options))


def measure(options: argparse.Namespace) -> int:
    """Measure and print; returns the exit code."""
    disable_cache()
    with ExitStack() as stack:
        url = options.endpoint or stack.enter_context(serve()).base_url
        endpoint = stack.enter_context(Endpoint.open(EndpointSettings((url,), model=options.model), MemoryStore()))
        problems, data = easy_data()
        if options.formats:
            for title, asked in (("problem -> answer", data), ("problem -> answer: int", typed_data())):
                chain = NAMES[0]
                rows = [through_the_library(endpoint, chain, asked, seed=options.seed, form=form) for form in FORMATS]
                print("\n".join([f"{title}, {len(asked.problems)} problems", "", *table(None, rows), ""]))
            return 0
        long, *others = [through_the_library(endpoint, name, data, seed=options.seed) for name in NAMES]
        print("\n".join(table(plainly(endpoint, problems, max_tokens=long.cap), [long, *others])))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
