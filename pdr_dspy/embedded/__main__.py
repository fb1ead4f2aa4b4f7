"""`python -m pdr_dspy.embedded`: serve the reasoner from a terminal (or for the launcher)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve. Returns the exit status."""
    # Here, not at the top: the engine process imports this module again when it is spawned.
    from ..errors import EndpointError
    from .serve import ServerSettings, serve

    parser = argparse.ArgumentParser(
        prog="python -m pdr_dspy.embedded",
        description="An OpenAI-compatible server for the embedded reasoner, on the CPU.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    option, default = parser.add_argument, ServerSettings()
    option("--weights", type=Path, default=default.weights, help="directory of the model")
    option("--host", default=default.host, help="address to listen on")
    option("--port", type=int, default=default.port, help="port; 0 is any free one")
    option("--threads", type=_positive, default=default.threads, help="inference threads")
    option("--served-model-name", default=default.served_model_name, help="name clients ask for")
    option("--max-num-seqs", type=_positive, default=default.max_num_seqs, help="choices at once; further ones wait")
    option(
        "--max-num-batched-tokens",
        type=_positive,
        default=default.max_num_batched_tokens,
        help="most tokens of one engine step (more costs memory: the engine keeps code for every size it has met)",
    )
    option("--max-model-len", type=_positive, default=None, help="context in tokens, if not the model's own")
    option("--kv-cache-mb", type=_positive, default=default.kv_cache_mb, help="most memory of the KV cache")
    option("--reasoning-parser", choices=("think", "none"), default="think", help="none: leave thinking in content")
    option("--parent", type=_positive, default=None, help="end when this process ends")
    option("--parent-signal", action="store_true", help="have the kernel kill the server with its parent, too")
    option("--ready-file", type=Path, default=None, help="written once requests are answered")
    settings = ServerSettings(**vars(parser.parse_args(arguments)))
    try:
        serve(settings)
    except EndpointError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


if __name__ == "__main__":
    sys.exit(main())
