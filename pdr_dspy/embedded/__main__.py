"""`python -m pdr_dspy.embedded`: serve the reasoner from a terminal (or for the launcher)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve. Returns the exit status."""
    # Here, not at the top: the engine process imports this module again when it is spawned.
    from ..errors import EndpointError, MissingExtra
    from ..extras import need

    try:
        need("embedded", "the embedded reasoner")
    except MissingExtra as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    from .serve import ServerSettings, serve
    from .server_key import read_key

    given, flags = _split(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if any(argument.partition("=")[0] == "--api-key" for argument in given):
        parser.error("every user can read a command line: put the key into PDR_EMBEDDED_API_KEY or an --api-key-file")
    options = parser.parse_args(given)
    engine, vllm_python, key_file = options.engine, options.vllm_python, options.api_key_file
    del options.engine, options.vllm_python, options.api_key_file
    try:
        key = read_key(key_file)
        if engine == "vllm":
            if key:
                os.environ["VLLM_API_KEY"] = key  # vLLM's own variable for it
            _serve_vllm(parser, options, vllm_python, flags)
        if flags or vllm_python:
            parser.error("--vllm-python and flags after -- are for --engine vllm")
        if options.reasoning_parser not in ("think", "none"):
            parser.error("--reasoning-parser is think or none, unless with --engine vllm")
        serve(ServerSettings(**{**vars(options), "allowed_hosts": tuple(options.allowed_hosts), "api_key": key}))
    except EndpointError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    from .serve import ServerSettings

    parser = argparse.ArgumentParser(
        prog="python -m pdr_dspy.embedded",
        usage="%(prog)s [options] [-- flags of vllm serve]",
        description="An OpenAI-compatible server for the embedded reasoner, on the CPU or through an installed vLLM.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    option, default = parser.add_argument, ServerSettings()
    option("--engine", choices=("embedded", "vllm"), default="embedded", help="what serves it")
    option("--vllm-python", type=Path, default=None, help="Python of vLLM's environment, if not PDR_VLLM_PYTHON's")
    option("--weights", type=Path, default=default.weights, help="directory of the model")
    option("--host", default=default.host, help="address to listen on")
    option("--port", type=int, default=default.port, help="port; 0 is any free one")
    option(
        "--api-key-file",
        type=Path,
        default=None,
        help="file with the key that clients must send, if not PDR_EMBEDDED_API_KEY's",
    )
    option(
        "--allowed-host",
        dest="allowed_hosts",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that clients may call this machine by, besides localhost and --host; may be repeated",
    )
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
    option("--reasoning-parser", default="think", help="none: leave thinking in content; or the name of one of vLLM's")
    option("--parent", type=_positive, default=None, help="end when this process ends")
    option("--parent-signal", action="store_true", help="have the kernel kill the server with its parent, too")
    option("--ready-file", type=Path, default=None, help="written once requests are answered")
    return parser


def _serve_vllm(
    parser: argparse.ArgumentParser, options: argparse.Namespace, python: Path | None, flags: list[str]
) -> None:
    """Become vLLM; returns only by an error. What was not given is left to vLLM, whose defaults are others."""
    from .serve import ServerSettings
    from .vllm_install import find_vllm
    from .vllm_server import VllmSettings, become_vllm, free_port

    default = ServerSettings()
    options.allowed_hosts = tuple(options.allowed_hosts)
    given = {name: value for name, value in vars(options).items() if value != getattr(default, name)}
    shared = {f"--{n.replace('_', '-')}": given.pop(n, None) for n in _VLLM_HAS_THEM_TOO}
    for name in ("allowed_hosts", "kv_cache_mb", "parent_signal", "ready_file"):
        if name in given:
            parser.error(
                f"--{name.replace('_', '-').removesuffix('s')} is not for --engine vllm: give its own flags after --"
            )
    port = free_port(options.host, options.port)
    before = [text for name, value in shared.items() if value is not None for text in (name, str(value))]
    settings = VllmSettings(**{**given, "port": port, "flags": (*before, *flags)})
    install = find_vllm(python)
    print(f"vLLM {install.version} on http://{settings.host}:{port}/v1, once it has started", file=sys.stderr)
    become_vllm(install, settings)


_VLLM_HAS_THEM_TOO = ("max_num_seqs", "max_num_batched_tokens", "max_model_len")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


if __name__ == "__main__":
    sys.exit(main())
