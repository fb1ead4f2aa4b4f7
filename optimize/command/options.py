"""The command line of `search.py` and `run.py`, and the one request that it becomes. Light to import.

Options have no defaults here: what was not said is left out, so that a `--config` file may say it, and the request
knows what is usual.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pdr_dspy.command.invoked import invoked
from pdr_dspy.data_options import DATA, add_reading
from pdr_dspy.errors import InputError

if TYPE_CHECKING:
    from optimize.request.measure import MeasureRequest

R = TypeVar("R", bound="MeasureRequest")


def new_parser(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """A parser of options without defaults."""
    if (command := invoked())[0] == "pdr":
        name = " ".join(command)
        prog, epilog = name, epilog.replace(f"python optimize/{prog}", name)
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )


def request_of(model: type[R], options: argparse.Namespace) -> R:
    """The request that a command line asks for, with what its `--config` file says beside.

    Raises:
        InputError: an option that is none; named as it was written.
    """
    given = dict(vars(options))
    config: Path | None = given.pop("config", None)
    filed: dict[str, object] = {}
    if config is not None:
        from optimize.request.config_file import read_config

        filed = read_config(config)
    try:
        return model(**{**filed, **given})
    except InputError as error:
        name = error.field
        if name in filed and name not in given:
            raise error.named(f"{name} in {config}") from None
        if name in model.model_fields:
            raise error.named(f"--{name.replace('_', '-')}") from None
        raise


def add_model(
    parser: argparse.ArgumentParser,
    *,
    load: int | str | None,
    load_help: str,
    load_type: Callable[[str], int | str] = int,
    thinking: str = "auto",
) -> argparse._ArgumentGroup:
    """Options that say which model is asked; returns their group."""
    where = parser.add_argument_group("model (default: the embedded reasoner, started by this command)")
    where.add_argument(
        "--endpoint",
        action="append",
        metavar="URL",
        help="an OpenAI-style server such as vLLM, http://host:8000/v1; several are replicas of one "
        "model; its key is read from PDR_API_KEY or OPENAI_API_KEY",
    )
    where.add_argument("--model", help="model served there (default: the only one)")
    where.add_argument(
        "--load",
        type=load_type,
        default=load,
        metavar="N",
        help=load_help,
    )
    where.add_argument(
        "--thinking",
        choices=("auto", "server", "continue", "off"),
        default=thinking,
        help="who keeps a draft's cap on thinking: the server (thinking_token_budget), a second request that continues "
        "the closed thinking, or nobody (default auto: the server while it does, else the second request)",
    )
    return where


def add_common(parser: argparse.ArgumentParser, format_help: str) -> None:
    """Options that both commands have; what `--format` does is each command's own."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="a YAML file with options, one a line, such as `budget: tokens=16k`; those of the command line go before",
    )
    parser.add_argument(
        "--budget",
        metavar="BUDGET",
        help="what one problem may cost (needed): tokens=16k (generated along the path), and if wanted "
        "total=400k (by all calls) and seconds=30; k = 1000, m = 1000000",
    )
    add_model(
        parser,
        load=argparse.SUPPRESS,
        load_type=str,
        thinking=argparse.SUPPRESS,
        load_help="requests kept in flight, all replicas together; latency is measured at this load (default 32). Of "
        "several, as 1,8,32, the largest is the search's, and the table says what every workflow takes at each",
    )
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        help=format_help,
    )
    what = parser.add_argument_group("problems")
    shows = "pdr data" if invoked()[0] == "pdr" else "python -m pdr_dspy.data"
    what.add_argument(
        "--data",
        metavar="DATA",
        help=f"{DATA} (default: worksheets); `{shows} DATA` shows what is understood of it",
    )
    add_reading(what)
    what.add_argument("--samples", type=int, metavar="N", help="runs of each problem (default 1)")
    parser.add_argument("--seed", type=int, help="of all sampling (default 0)")
    parser.add_argument(
        "--latency",
        choices=("seconds", "tokens"),
        help="what is weighed against accuracy: median seconds along the critical path (default), or "
        "mean tokens generated along it",
    )
    parser.add_argument(
        "--objectives",
        metavar="LIST",
        help="what is weighed: accuracy, and latency, total_tokens (generated by all calls of a problem: what a GPU "
        "pays) or both (default accuracy,latency)",
    )
    parser.add_argument("--runs", type=Path, metavar="DIR", help="where state is kept (default: runs)")
